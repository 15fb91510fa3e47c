"""The fictional province 云泽省 as tables."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.errors import UsageError
from qbase.core.values import freeze
from qbase.demo.clean.cluster_tables import (
    build_designations,
    build_organisations,
    build_platform_services,
    build_platforms,
    build_programme,
    build_projects,
    build_standards,
    build_supply_chain,
    build_surveys,
)
from qbase.demo.clean.core_tables import (
    INSPECTION_COLUMNS,
    build_clusters,
    build_firm_names,
    build_firms_table,
    build_inspections,
    firm_ids,
    first_inspections,
    print_names,
    rechecks,
    texts,
)
from qbase.demo.clean.event_tables import (
    build_brand_licences,
    build_brands,
    build_credit_events,
    build_credit_grades,
    build_firm_events,
)
from qbase.demo.clean.firm_tables import (
    build_certifications,
    build_firm_checks,
    build_firm_products,
    build_firm_year,
    build_firm_years,
)
from qbase.demo.clean.market_tables import build_macro, build_market, build_strategies, build_targets, build_town_year
from qbase.demo.clean.policy_tables import build_instruments, build_policies, build_spells
from qbase.demo.clean.sample_tables import build_followup, build_frame, build_items, build_notices
from qbase.demo.world.quarters import World, build_world
from qbase.demo.world.scenario import SEED, Scenario, Size, Streams, read_dimensions

if TYPE_CHECKING:
    from qbase.demo.truth import Truth


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Province:
    """The province: its clean tables, and what only the demo and tests may ask for.

    Parameters
    ----------
    size : str
        ``small`` or ``province``.
    seed : int
        Of the random streams.
    scenario : Scenario
        Switches it was built with.
    tables : mapping of str to pandas.DataFrame
        Clean tables by contract name; an empty text is an empty cell.
    world : World
        The history behind them, latent values included. For `qbase.demo` and tests only.

    Examples
    --------
    >>> from qbase.demo import build_province
    >>> province = build_province("small")
    >>> province.tables["clusters"].loc[:2, ["cluster_id", "cluster_name", "town_code"]]
      cluster_id cluster_name  town_code
    0       K001    青棹镇涤纶产业集群  990021101
    1       K002    鹭棹镇涤纶产业集群  990022101
    2       K003    望埭镇涤纶产业集群  990023101
    """

    size: str
    seed: int
    scenario: Scenario
    tables: Mapping[str, pd.DataFrame]
    world: World

    @functools.cached_property
    def truth(self) -> Truth:
        """What is true: probabilities, effects, levels. For tests only."""
        from qbase.demo.truth import build_truth

        return build_truth(self.world)


def build_province(size: Size = "small", seed: int = SEED, *, scenario: Scenario | None = None) -> Province:
    """Build the fictional province in memory.

    Parameters
    ----------
    size : {"small", "province"}
        12 clusters (tests) or 36.
    seed : int
        Same seed, same bytes.
    scenario : Scenario, optional
        Switches; the province as described when absent.

    Returns
    -------
    Province
        Clean tables and the truth behind them.

    Raises
    ------
    UsageError
        No such size (QB370), or ``nation``, which is written by `write_nation` (QB372).

    Examples
    --------
    >>> province = build_province("small", seed=7)
    >>> len(province.tables["clusters"])
    12
    """
    if size == "nation":
        raise UsageError(
            "QB372",
            found="size='nation'",
            expected="small | province",
            fix="python -m qbase.demo --size nation --out DIR",
        )
    dims = read_dimensions(size)
    scenario = scenario or Scenario()
    world = build_world(dims, scenario, Streams(seed=seed))
    return Province(size=size, seed=seed, scenario=scenario, tables=freeze(build_tables(world)), world=world)


def build_tables(world: World) -> dict[str, pd.DataFrame]:
    """Build every clean table of one province, in the order they should be loaded."""
    firms = build_firms_table(world)
    names = build_firm_names(world, firms)
    first = first_inspections(world)
    full = build_inspections(world, first, rechecks(world, first), firms)
    full["firm_name"] = print_names(full, names, firm_ids(world))
    platforms = build_platforms(world)
    tables = {
        "towns": world.geo.towns,
        "clusters": build_clusters(world),
        "firms": firms,
        "firm_names": names,
        "firm_events": build_firm_events(world, names, texts(world.geo.towns["town_code"])),
        "inspections": full[INSPECTION_COLUMNS].copy(),
        "items": build_items(world, full),
        "frame": build_frame(world),
        "followup": build_followup(world, full),
        "notices": build_notices(world, full),
        "policies": build_policies(world),
        "spells": build_spells(world),
        "targets": build_targets(world),
        "instruments": build_instruments(world),
        "programme": build_programme(world),
        "platforms": platforms,
        "platform_services": build_platform_services(world, platforms),
        "organisations": build_organisations(world),
        "projects": build_projects(world),
        "standards": build_standards(world),
        "designations": build_designations(world),
        "surveys": build_surveys(world),
        "supply_chain": build_supply_chain(world),
        "strategies": build_strategies(world),
        "macro": build_macro(world),
    }
    return tables | _yearly_tables(world, firms)


def _yearly_tables(world: World, firms: pd.DataFrame) -> dict[str, pd.DataFrame]:
    years = build_firm_years(world)
    firm_year = build_firm_year(world, years)
    return {
        "firm_year": firm_year,
        "firm_checks": build_firm_checks(world, years),
        "firm_products": build_firm_products(world),
        "certifications": build_certifications(world),
        "credit_grades": build_credit_grades(world, years),
        "credit_events": build_credit_events(world, years),
        "brands": build_brands(world),
        "brand_licences": build_brand_licences(world),
        "market": build_market(world, firm_year, firms),
        "town_year": build_town_year(world, firm_year, firms),
    }
