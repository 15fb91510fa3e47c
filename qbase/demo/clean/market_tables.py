"""Clean tables beyond the clusters: prices, markets, town statistics, strategies, targets of the policy text."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qbase.demo.clean.core_tables import QUARTER_STARTS, iso, quarter_codes, texts
from qbase.demo.world.geography import Floats, read_industries
from qbase.demo.world.quarters import World
from qbase.demo.world.scenario import FIRST_YEAR, N_QUARTERS, N_YEARS

NATION_FACTOR = 24.0


def build_macro(world: World) -> pd.DataFrame:
    """Build table macro: fictional price and export indices by quarter (2016Q1 = 100)."""
    rng = world.streams.rng("macro")

    def walk(sd: float) -> Floats:
        return np.round(100 + np.cumsum(rng.normal(0.2, sd, N_QUARTERS)), 1)

    return pd.DataFrame(
        {
            "quarter": quarter_codes(np.arange(N_QUARTERS)),
            "ppi_28_index": walk(1.5),
            "oil_index": walk(4.0),
            "pta_index": walk(3.0),
            "export_index": walk(2.0),
        }
    )


def build_market(world: World, firm_year: pd.DataFrame, firms: pd.DataFrame) -> pd.DataFrame:
    """Build table market: province and nation by industry and year; the province contains its clusters."""
    rng = world.streams.rng("market")
    code = firms.set_index("firm_id")["industry_code"]
    base = firm_year.assign(industry_code=texts(code.reindex(firm_year["firm_id"])))
    base["output_wan_cny"] = base["output_wan_cny"].fillna(base["revenue_wan_cny"])
    own = base.groupby(["industry_code", "year"])[["output_wan_cny", "revenue_wan_cny", "staff_count"]].sum()
    own["firm_count"] = base.groupby(["industry_code", "year"]).size()
    codes = [str(i["code"]) for i in read_industries() if str(i["code"]) in set(code)]
    index = pd.MultiIndex.from_product([codes, range(FIRST_YEAR, FIRST_YEAR + N_YEARS)], names=own.index.names)
    own = own.reindex(index).fillna(0.0)
    outside = np.repeat(np.round(rng.uniform(0.3, 2.5, len(codes)), 3), N_YEARS)
    parts = []
    for area, factor in (("province", 1 + outside), ("nation", NATION_FACTOR * (1 + outside))):
        batches = rng.poisson(220 if area == "province" else 4000, len(own))
        parts.append(
            pd.DataFrame(
                {
                    "area": area,
                    "industry_code": texts(own.index.get_level_values(0)),
                    "year": own.index.get_level_values(1).to_numpy(),
                    "output_wan_cny": np.round(own["output_wan_cny"].to_numpy() * factor, 0),
                    "sales_wan_cny": np.round(own["revenue_wan_cny"].to_numpy() * factor, 0),
                    "staff_count": np.rint(own["staff_count"].to_numpy() * factor).astype(np.int64),
                    "firm_count": np.rint(own["firm_count"].to_numpy() * factor).astype(np.int64),
                    "batch_count": batches,
                    "failed_count": rng.binomial(batches, 0.1),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def build_town_year(world: World, firm_year: pd.DataFrame, firms: pd.DataFrame) -> pd.DataFrame:
    """Build table town_year: totals of each town, its parks, and the other three qualities of the policy text."""
    rng = world.streams.rng("town_year")
    town = firms.set_index("firm_id")["town_code"]
    park = firms.set_index("firm_id")["is_in_park"]
    base = firm_year.assign(town_code=texts(town.reindex(firm_year["firm_id"])))
    base["output_wan_cny"] = base["output_wan_cny"].fillna(base["revenue_wan_cny"])
    base["park"] = base["output_wan_cny"] * park.reindex(base["firm_id"]).to_numpy(dtype=bool)
    columns = ["output_wan_cny", "value_added_wan_cny", "tax_wan_cny", "staff_count", "park"]
    live = world.geo.towns[world.geo.towns["valid_to_date"] == ""]["town_code"].tolist()
    index = pd.MultiIndex.from_product([live, range(FIRST_YEAR, FIRST_YEAR + N_YEARS)], names=["town_code", "year"])
    own = base.groupby(["town_code", "year"])[columns].sum().reindex(index).fillna(0.0)
    n = len(own)
    rest = np.repeat(rng.uniform(40_000, 160_000, len(live)), N_YEARS) * (
        1 + 0.04 * np.tile(np.arange(N_YEARS), len(live))
    )
    works = rng.integers(6, 30, n)
    return pd.DataFrame(
        {
            "town_code": texts(own.index.get_level_values(0)),
            "year": own.index.get_level_values(1).to_numpy(),
            "output_wan_cny": np.round(own["output_wan_cny"].to_numpy() + rest, 0),
            "value_added_wan_cny": np.round(own["value_added_wan_cny"].to_numpy() + 0.3 * rest, 0),
            "tax_wan_cny": np.round(own["tax_wan_cny"].to_numpy() + 0.04 * rest, 0),
            "staff_count": np.rint(own["staff_count"].to_numpy() + rest / 45).astype(np.int64),
            "park_output_wan_cny": np.round(own["park"].to_numpy() + 0.1 * rest, 0),
            "park_area_mu": np.round(np.repeat(rng.uniform(300, 1500, len(live)), N_YEARS), 0),
            "works_count": works,
            "works_passed_count": rng.binomial(works, 0.95),
            "good_air_days": rng.integers(280, 350, n),
            "good_water_share_pct": np.round(rng.uniform(70, 100, n), 1),
            "service_index": np.round(rng.normal(80, 4, n), 1),
        }
    )


STRATEGIES = ("quality", "brand", "standard")


def build_strategies(world: World) -> pd.DataFrame:
    """Build table strategies: when each town adopted 质量兴镇, 名牌 and 标准化, and how strongly."""
    rng = world.streams.rng("strategies")
    towns = texts(world.geo.towns["town_code"])
    n = len(towns)
    rows = []
    for strategy in STRATEGIES:
        start = rng.integers(0, N_QUARTERS, n)
        chosen = rng.random(n) < 0.7
        rows.append(
            pd.DataFrame(
                {
                    "town_code": towns[chosen],
                    "strategy": strategy,
                    "adopt_date": iso(QUARTER_STARTS[start[chosen]]),
                    "intensity_index": np.round(rng.uniform(0.2, 1, n)[chosen], 2),
                }
            )
        )
    return pd.concat(rows, ignore_index=True).sort_values(["town_code", "strategy"], kind="stable", ignore_index=True)


# horizon, indicator of the catalogue, population, words of the text, value (nan: the text sets no number), its unit
TARGETS = (
    ("near", "N1.penalty", "化纤行业生产企业", "合法经营", float("nan"), "pct"),
    ("near", "N2.standard", "化纤行业生产企业", "按标准要求组织生产", float("nan"), "pct"),
    ("near", "N3", "化纤行业生产企业", "均建立全过程质量控制制度", 100.0, "pct"),
    ("near", "N4", "化纤行业生产企业", "具备能够满足产品质量监控需要的检验能力", 100.0, "pct"),
    ("near", "N5", "化纤行业产品", "产品质量监督抽查合格率处于较高水平", float("nan"), "pct"),
    ("long", "L1", "全镇", "创建成2～3个优质产品生产基地", 2.0, "item"),
    ("long", "L2.lead", "区域产品", "质量长期稳定并保持领先", float("nan"), "pp"),
    ("long", "L3.province", "区域产品", "市场占有率有一定优势", float("nan"), "pct"),
    ("long", "L4.output", "产业集群", "规模明显扩大", float("nan"), "pct"),
    ("long", "L5.firms", "产业集群", "规划布局合理", float("nan"), "pct"),
    ("long", "L6.output", "产业集群", "成为本区域经济支柱行业", float("nan"), "pct"),
    ("long", "L7", "规模以上企业", "建立全过程质量保证体系", 100.0, "pct"),
    ("long", "L8", "龙头企业", "按照先进标准要求组织生产", 100.0, "pct"),
    ("long", "L9.equipment", "龙头企业", "技术装备、研发与检验手段处于领先地位", float("nan"), "rank"),
    ("long", "L10", "龙头企业", "产品结构处于领先地位", float("nan"), "pct"),
    ("long", "L11.grade", "龙头企业", "质量水平在全省同行业处于领先地位", float("nan"), "pct"),
    ("long", "L13.sales", "产业", "自主品牌有一定影响", float("nan"), "pct"),
    ("long", "L14", "产业", "集聚程度较高", float("nan"), "ratio"),
    ("long", "L15.score", "区域", "打造成为全省、全国著名的优质产品生产基地", float("nan"), "score"),
)


def build_targets(world: World) -> pd.DataFrame:
    """Build table targets: what the policy text asks for; a number only where the text sets one."""
    columns = ["horizon", "indicator_id", "population", "words", "value", "unit_code"]
    frame = pd.DataFrame(TARGETS, columns=columns)
    frame.insert(0, "target_id", [f"M{k + 1:02d}" for k in range(len(frame))])
    frame.insert(1, "policy_id", "base")
    return frame
