"""Scenario and seed in; the province as it really is out: places, firms, adoption, draws, passes."""
