"""The nation: 31 fictional provinces, more than ten million inspections, one province in memory at a time."""

from __future__ import annotations

import functools
import hashlib
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pandas as pd

from qbase.demo.clean.core_tables import (
    INSPECTION_COLUMNS,
    build_clusters,
    build_firms_table,
    build_inspections,
    first_inspections,
    rechecks,
)
from qbase.demo.clean.policy_tables import build_spells
from qbase.demo.clean.sample_tables import build_frame
from qbase.demo.sending.stable_files import content_hash, to_arrow, write_parquet
from qbase.demo.world.quarters import build_world
from qbase.demo.world.scenario import SEED, Scenario, Streams, read_dimensions

N_PROVINCES = 31


def province_tables(part: int, seed: int, scenario: Scenario) -> dict[str, pd.DataFrame]:
    """Build the main tables of one province of the nation; ids begin with its number."""
    world = build_world(read_dimensions("nation"), scenario, Streams(seed=seed, part=part))
    firms = build_firms_table(world)
    first = first_inspections(world)
    inspections = build_inspections(world, first, rechecks(world, first), firms)
    return {
        "towns": world.geo.towns,
        "clusters": build_clusters(world),
        "firms": firms,
        "frame": build_frame(world),
        "spells": build_spells(world),
        "inspections": inspections[INSPECTION_COLUMNS],
    }


def write_nation(
    folder: Path,
    *,
    seed: int = SEED,
    scenario: Scenario | None = None,
    n_provinces: int = N_PROVINCES,
    n_workers: int = 2,
) -> Iterator[tuple[int, int, str]]:
    """Write the nation province by province, as ``<table>/part-07.parquet``; a generator.

    Parameters
    ----------
    folder : Path
        Where to.
    seed : int
        Same seed, same bytes.
    scenario : Scenario, optional
        Switches.
    n_provinces : int
        How many; 31 for the whole.
    n_workers : int
        Processes; each holds one province, about 1 GB. With 1 nothing is started.

    Yields
    ------
    tuple of int, int, str
        Number of the province, its inspections, and the logical hash of its tables.
    """
    job = functools.partial(write_part, folder=folder, seed=seed, scenario=scenario or Scenario())
    parts = range(1, n_provinces + 1)
    if n_workers == 1:
        yield from map(job, parts)
        return
    with ProcessPoolExecutor(n_workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(job, parts)


def write_part(part: int, *, folder: Path, seed: int, scenario: Scenario) -> tuple[int, int, str]:
    """Write one province of the nation; return its number, its inspections and its logical hash."""
    digest, rows = hashlib.sha256(), 0
    for name, frame in province_tables(part, seed, scenario).items():
        table = to_arrow(frame)
        digest.update(content_hash(table).encode())
        write_parquet(folder / name / f"part-{part:02d}.parquet", table)
        rows = len(frame) if name == "inspections" else rows
    return part, rows, digest.hexdigest()
