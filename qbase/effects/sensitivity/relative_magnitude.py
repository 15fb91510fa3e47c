"""Intervals when a step of the trend after treatment is at most Mbar times the largest one before."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from qbase.effects.sensitivity.conditional_test import Vertices, accepts, find_vertices, outer_reach, steps_before
from qbase.effects.sensitivity.event_path import EventPath, Floats, read_alpha, read_event_path, read_limit

GRID = 400
"""Points between the estimate and where the first stage rejects; the last one kept is then refined."""

HALVINGS = 50
"""The ends are exact to 2^-50 of a grid step."""
