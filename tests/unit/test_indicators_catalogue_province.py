"""Every indicator on the fictional province: the ranges of all, and the values of many against plain pandas."""

# ruff: noqa: E501  (one expectation stands on one line)

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest

from qbase.cli.main import run
from qbase.core.errors import DataError, UsageError
from qbase.core.panel import Panel
from qbase.core.periods import parse_period
from qbase.demo import build_province
from qbase.demo.deliveries_tidy import write_tidy
from qbase.indicators import build_panel, find_indicator, list_indicators, read_catalogue, read_rows
from qbase.intake import load_files
from qbase.lake import Workspace

Tables = Mapping[str, pd.DataFrame]
Value = Callable[["Province"], pd.Series]
PANELS = (("cluster_id", "A"), ("cluster_id", "Q"), ("town_code", "A"), ("firm_id", "A"))
SME = ("medium", "small", "micro")


class Province:
    """The clean tables, and the few joins that plain pandas needs."""

    def __init__(self, tables: Tables) -> None:
        self.t = tables
        self.firms = tables["firms"].set_index("firm_id")
        self.cluster = self.firms["cluster_id"]
        self.years = self.of_firms("firm_year").assign(
            output=lambda d: d["output_wan_cny"].fillna(d["revenue_wan_cny"])
        )
        self.checks = self.of_firms("firm_checks")
        i = tables["inspections"]
        owner = tables["firms"].set_index("uscc")["firm_id"]
        i = i.assign(
            firm=i["uscc"].map(owner), period=quarters(i["sample_date"]), year=i["sample_date"].str[:4].astype(int)
        )
        i["entity"] = i["firm"].map(self.cluster)
        i["ok"] = (i["result"] == "pass") | (i["appeal_result"] == "overturned")
        self.visits = i[~i["is_recheck"].astype(bool)]
        self.first = self.visits[~self.visits["sample_type"].isin(["complaint", "followup"])]

    def of_firms(self, table: str) -> pd.DataFrame:
        frame = self.t[table]
        return frame.assign(entity=frame["firm_id"].map(self.cluster), period=frame.get("year"))

    def of_clusters(self, table: str) -> pd.DataFrame:
        frame = self.t[table].rename(columns={"cluster_id": "entity"})
        if "quarter" in frame:
            return frame.assign(period=frame["quarter"], year=frame["quarter"].str[:4].astype(int))
        return frame.assign(period=frame["year"]) if "year" in frame else frame

    def live(self, year: int) -> pd.DataFrame:
        f = self.firms
        here = (f["entry_quarter"] <= f"{year}Q4") & ((f["exit_quarter"] == "") | (f["exit_quarter"] > f"{year}Q1"))
        return f[here]

    def each_year(self, count: Callable[[int, pd.DataFrame], pd.Series]) -> pd.Series:
        parts = {y: count(y, self.live(y)) for y in range(2016, 2026)}
        return pd.concat(parts, names=["period", "entity"]).swaplevel()


def quarters(dates: pd.Series) -> pd.Series:
    months = dates.str[5:7].astype(int)
    return dates.str[:4] + "Q" + ((months + 2) // 3).astype(str)


def share(frame: pd.DataFrame, top: pd.Series, bottom: pd.Series | None = None, *, scale: float = 100.0) -> pd.Series:
    by = [frame["entity"], frame["period"]]
    over = pd.Series(1.0, index=frame.index) if bottom is None else bottom
    den = over.groupby(by).sum(min_count=1)
    return (scale * top.astype(float).groupby(by).sum() / den)[den > 0]


def annual(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(period=frame["year"])


def of_live(p: Province, has: Callable[[int, pd.DataFrame], pd.Series], among: pd.Series | None = None) -> pd.Series:
    def one(year: int, live: pd.DataFrame) -> pd.Series:
        chosen = live if among is None else live[among.reindex(live.index)]
        return 100 * has(year, chosen).groupby(chosen["cluster_id"]).mean()

    return p.each_year(one)


def certified(p: Province, scheme: str) -> Callable[[int, pd.DataFrame], pd.Series]:
    c = p.t["certifications"]

    def has(year: int, live: pd.DataFrame) -> pd.Series:
        last = f"{year}-12-31"
        valid = c[(c["scheme"] == scheme) & (c["valid_from_date"] <= last) & (c["valid_to_date"] >= last)]
        return pd.Series(live.index.isin(valid["firm_id"]), index=live.index)

    return has


def stock(p: Province, table: str, date: str, chosen: Callable[[pd.DataFrame], pd.Series]) -> pd.Series:
    frame = p.t[table]
    frame = frame[chosen(frame)]
    found = {
        (k, y): float(((frame["cluster_id"] == k) & (frame[date] <= f"{y}-12-31")).sum())
        for k, y in itertools.product(p.t["clusters"]["cluster_id"], range(2016, 2026))
    }
    return pd.Series(found)


def output_weighted(p: Province) -> pd.Series:
    w = p.years.set_index(["firm_id", "year"])["output"]
    d = annual(p.first).groupby(["entity", "period", "firm"])["ok"].mean().reset_index()
    d["w"] = w.reindex(pd.MultiIndex.from_arrays([d["firm"], d["period"] - 1])).to_numpy()
    d = d[d["w"] > 0]
    return share(d, d["ok"] * d["w"], d["w"])


def repeat(p: Province) -> pd.Series:
    failed = p.first[~p.first["ok"]]
    names = sorted(p.first["period"].unique())
    found = {}
    for i in range(7, len(names)):
        inside = failed[failed["period"].isin(names[i - 7 : i + 1])]
        per_firm = inside.groupby(["entity", "firm"]).size()
        for entity, group in per_firm.groupby("entity"):
            found[(entity, names[i])] = 100 * (group >= 2).mean()
    return pd.Series(found)


def sum_of(p: Province, column: str) -> pd.Series:
    return p.years.groupby(["entity", "period"])[column].sum()


def market(p: Province, area: str, column: str) -> pd.Series:
    m = p.t["market"]
    m = m[m["area"] == area].merge(p.t["clusters"][["cluster_id", "industry_code"]], on="industry_code")
    return m.set_index(["cluster_id", "year"])[column].rename_axis(["entity", "period"])


def town(p: Province, column: str) -> pd.Series:
    d = p.t["town_year"].merge(p.t["clusters"][["cluster_id", "town_code"]], on="town_code")
    return d.set_index(["cluster_id", "year"])[column].rename_axis(["entity", "period"])


def quotient(p: Province) -> pd.Series:
    m = p.t["market"]
    nation = m[m["area"] == "nation"].groupby("year")["staff_count"].sum()
    at_home = sum_of(p, "staff_count") / town(p, "staff_count")
    away = market(p, "nation", "staff_count")
    return at_home / (away / nation.reindex(away.index.get_level_values(1)).to_numpy())


def krugman(p: Province) -> pd.Series:
    m = p.t["market"]
    m = m[m["area"] == "nation"].pivot_table(index="year", columns="industry_code", values="staff_count")
    m = m.div(m.sum(axis=1), axis=0)
    own = p.t["clusters"].set_index("cluster_id")["industry_code"]
    return pd.Series({(k, y): (1 - m.loc[y, c]) + (1 - m.loc[y, c]) for k, c in own.items() for y in m.index})


def products(p: Province, column: str) -> pd.Series:
    d = p.t["firm_products"]

    def one(year: int, live: pd.DataFrame) -> pd.Series:
        here = d[d["firm_id"].isin(live.index)]
        return 100 * here[column].astype(float).groupby(here["firm_id"].map(p.cluster)).mean()

    return p.each_year(one)


def variety(p: Province) -> pd.Series:
    d = p.years[["firm_id", "entity", "period", "output"]].merge(p.t["firm_products"], on="firm_id")
    d["x"] = d["output"] * d["output_share_pct"] / 100
    x = d.groupby(["entity", "period", "product_name"])["x"].sum()
    x = x[x > 0]
    s = x / x.groupby(level=[0, 1]).transform("sum")
    return np.exp(-(s * np.log(s)).groupby(level=[0, 1]).sum())


def product_overlap(p: Province) -> pd.Series:
    wide = p.t["firm_products"].pivot_table(
        index="firm_id", columns="product_name", values="output_share_pct", fill_value=0
    )

    def one(year: int, live: pd.DataFrame) -> pd.Series:
        found = {}
        for k, group in live.groupby("cluster_id"):
            x = wide.loc[group.index].to_numpy()
            x = x / np.linalg.norm(x, axis=1, keepdims=True)
            found[k] = (x @ x.T)[np.triu_indices(len(x), 1)].mean()
        return pd.Series(found)

    return p.each_year(one)


def grades(p: Province) -> pd.DataFrame:
    d = p.of_firms("credit_grades")
    before = d.set_index(["firm_id", "year"])["grade"]
    return d.assign(before=before.reindex(pd.MultiIndex.from_arrays([d["firm_id"], d["year"] - 1])).to_numpy())


def graded_up(p: Province) -> pd.Series:
    d = grades(p)
    d = d[d["before"].notna()]
    return share(d, d["grade"] < d["before"])


def removed(p: Province) -> pd.Series:
    y = p.years.set_index(["firm_id", "year"])["obsolete_capacity_t"]
    d = p.years[p.years["year"] < 2025]
    after = y.reindex(pd.MultiIndex.from_arrays([d["firm_id"], d["year"] + 1])).fillna(0).to_numpy()
    gone = (d["obsolete_capacity_t"] - after).clip(lower=0)
    return gone.groupby([d["entity"], d["period"] + 1]).sum() / 10_000


def energy_cut(p: Province) -> pd.Series:
    d = p.years[p.years["energy_tce"].notna()]
    use = share(d, d["energy_tce"], d["output"], scale=1).unstack("period")
    return (100 * (use / use.shift(axis=1) - 1)).stack()


def brand_stock(p: Province) -> pd.Series:
    b = p.t["brands"].assign(entity=p.t["brands"]["firm_id"].map(p.cluster))
    found = {}
    for k, y in itertools.product(p.t["clusters"]["cluster_id"], range(2016, 2026)):
        last = f"{y}-12-31"
        found[(k, y)] = ((b["entity"] == k) & (b["valid_from_date"] <= last) & (b["valid_to_date"] >= last)).sum()
    return pd.Series(found, dtype=float)


def projects(p: Province) -> pd.Series:
    x = p.t["projects"]
    x = x[x["kind"] == "major"]
    names = [f"{y}Q{q}" for y in range(2016, 2026) for q in range(1, 5)]
    every = pd.MultiIndex.from_product([p.t["clusters"]["cluster_id"], names])
    return x.groupby([x["cluster_id"], quarters(x["file_date"])]).size().reindex(every, fill_value=0).astype(float)


def recheck(p: Province) -> pd.Series:
    i = p.t["inspections"].set_index("sample_no")
    owner = p.t["firms"].set_index("uscc")["firm_id"]
    d = p.t["followup"]
    entity = d["sample_no"].map(i["uscc"]).map(owner).map(p.cluster)
    d = d.assign(entity=entity, period=d["order_date"].str[:4].astype(int))
    return share(d, d["outcome"] == "rectified")


def services(p: Province, top: str, bottom: str) -> pd.Series:
    d = p.t["platform_services"]
    home = p.t["platforms"].set_index("platform_id")["cluster_id"]
    d = d.assign(entity=d["platform_id"].map(home), period=d["quarter"])
    return share(d, d[top], d[bottom])


def enrolled(p: Province) -> pd.Series:
    d = annual(p.of_clusters("programme"))
    d = d[d["quarter"].str.endswith("Q4")]
    return share(d, d["enrolled_firm_count"], d["eligible_firm_count"])


def gap_of_awareness(p: Province) -> pd.Series:
    d = p.of_clusters("surveys").pivot_table(index="entity", columns="period", values="awareness_index")
    return pd.DataFrame({k: d.loc[k] - d.drop(index=k).median() for k in d.index}).T.stack()


def penalties(p: Province) -> pd.Series:
    e = p.t["credit_events"]
    e = e[e["kind"].isin(["penalty", "administrative_penalty"])]
    hit = set(zip(e["firm_id"], e["event_date"].str[:4].astype(int), strict=True))
    return of_live(p, lambda y, live: pd.Series([(f, y) not in hit for f in live.index], index=live.index))


def declared(p: Province) -> pd.Series:
    every = p.t["firm_products"].groupby("firm_id")["has_declared_standard"].all()
    return of_live(p, lambda y, live: every.reindex(live.index))


def lead_standard(p: Province) -> pd.Series:
    one = p.t["firm_products"].groupby("firm_id")["has_international_standard"].any()
    return of_live(p, lambda y, live: one.reindex(live.index), p.firms["is_lead"].astype(bool))


def licensed(p: Province) -> pd.Series:
    start = p.t["brand_licences"].groupby("firm_id")["start_date"].min()

    def has(year: int, live: pd.DataFrame) -> pd.Series:
        return start.reindex(live.index).fillna("9999") <= f"{year}-12-31"

    return of_live(p, has, p.firms["size_class"].isin(SME))


def all_of(d: pd.DataFrame, columns: list[str]) -> pd.Series:
    return share(d, d[columns].astype(bool).all(axis=1))


FIVE = ["has_incoming_inspection", "has_process_inspection", "has_final_inspection", "has_traceability",
        "has_corrective_action"]  # fmt: skip

BY_QUARTER: dict[str, Value] = {
    "D1.batch": lambda p: share(p.first, p.first["ok"]),
    "D1.firm": lambda p: 100 * p.first.groupby(["entity", "period", "firm"])["ok"].all().groupby(level=[0, 1]).mean(),
    "D1.finding": lambda p: 100 * (1 - p.visits.groupby(["entity", "period", "firm"])["ok"].all().groupby(level=[0, 1]).mean()),
    "D1c.repeat": repeat,
    "C2.pass": lambda p: share(d := p.first[p.first["size_class"].isin(SME)], d["ok"]),
    "N5": lambda p: share(d := p.first[p.first["firm"].map(p.firms["industry_code"]).str.startswith("28")], d["ok"]),
    "P1.meetings": lambda p: share(d := p.of_clusters("programme"), d["meetings_held_count"], d["meetings_planned_count"]),
    "W1.projects": projects,
    "W6b.incoming": lambda p: services(p, "incoming_pass_count", "incoming_test_count"),
    "W6b.outgoing": lambda p: services(p, "outgoing_pass_count", "outgoing_test_count"),
    "W6.coverage": lambda p: services(p, "firm_served_count", "firm_lacking_count"),
    "S2.tasks": lambda p: share(d := p.of_clusters("programme"), d["tasks_done_count"], d["tasks_planned_count"]),
    "W2f.cases": lambda p: p.of_clusters("programme").set_index(["entity", "period"])["enforcement_case_count"].astype(float),
}  # fmt: skip

BY_YEAR: dict[str, Value] = {
    "D1.batch": lambda p: share(annual(p.first), p.first["ok"]),
    "D1.output": output_weighted,
    "D1c.recheck": recheck,
    "D2.firms": lambda p: of_live(p, certified(p, "qms")),
    "D2b": lambda p: share(p.checks, p.checks["has_quality_head"]),
    "D3": lambda p: share(p.years, p.years["advanced_equipment_wan_cny"], p.years["equipment_wan_cny"]),
    "D3b.energy": lambda p: share(d := p.years[p.years["energy_tce"].notna()], d["energy_tce"], d["volume_t"], scale=1),
    "D3b.loss": lambda p: share(p.years, p.years["quality_loss_wan_cny"], p.years["output"]),
    "D4.cr4": lambda p: 100 * p.years.groupby(["entity", "period"])["output"].apply(lambda x: x.nlargest(4).sum() / x.sum()),
    "D4.hhi": lambda p: p.years.groupby(["entity", "period"])["output"].apply(lambda x: ((100 * x / x.sum()) ** 2).sum()),
    "D4.local": lambda p: share(d := p.years[p.years["firm_id"].map(p.firms["is_lead"]).astype(bool)], d["local_purchase_wan_cny"], d["purchase_wan_cny"]),
    "D5.links": lambda p: share(d := p.of_clusters("supply_chain"), d["local_link_count"], d["link_count"]),
    "D6.output": lambda p: sum_of(p, "output") / 10_000,
    "D6.share": lambda p: 100 * sum_of(p, "output") / market(p, "province", "output_wan_cny"),
    "D6.rank": lambda p: sum_of(p, "output").groupby("period").rank(ascending=False, method="min"),
    "C1.brand": gap_of_awareness,
    "C2.qms": lambda p: of_live(p, certified(p, "qms"), p.firms["size_class"].isin(SME)),
    "G3.energy": lambda p: share(d := p.years[p.years["energy_tce"].notna()], d["energy_tce"], d["output"], scale=1),
    "T1.count": lambda p: p.each_year(lambda y, live: live["is_lead"].astype(float).groupby(live["cluster_id"]).sum()),
    "T2": lambda p: stock(p, "designations", "grant_date", lambda d: (d["title"] != "quality_base") & d["level"].isin(["national", "province"])),
    "T3": lambda p: share(p.years, p.years["new_product_wan_cny"], p.years["output"]),
    "N1.penalty": penalties,
    "N2.standard": declared,
    "N3": lambda p: all_of(p.checks, FIVE),
    "N4": lambda p: share(p.checks, p.checks["has_own_lab"].astype(bool) | p.checks["has_lab_contract"].astype(bool)),
    "L1": lambda p: stock(p, "designations", "grant_date", lambda d: d["title"] == "quality_base"),
    "L3.nation": lambda p: 100 * sum_of(p, "revenue_wan_cny") / market(p, "nation", "sales_wan_cny"),
    "L4.output": lambda p: (100 * sum_of(p, "output").unstack().pct_change(axis=1, fill_method=None)).stack(),
    "L5.firms": lambda p: of_live(p, lambda y, live: live["is_in_park"].astype(float)),
    "L6.added": lambda p: 100 * sum_of(p, "value_added_wan_cny") / town(p, "value_added_wan_cny"),
    "L7": lambda p: share(d := p.checks[p.checks["firm_id"].map(p.firms["is_above_scale"]).astype(bool)], d["has_quality_system"]),
    "L8": lead_standard,
    "L9.intensity": lambda p: share(p.years, p.years["rd_wan_cny"], p.years["revenue_wan_cny"]),
    "L10": lambda p: share(p.years, p.years["differentiated_t"], p.years["volume_t"]),
    "L11.grade": lambda p: share(p.years, p.years["premium_grade_t"] + p.years["first_grade_t"] / 2, p.years["volume_t"]),
    "L12.obsolete": lambda p: share(p.years, p.years["obsolete_capacity_t"], p.years["capacity_t"]),
    "L13.sales": lambda p: share(p.years, p.years["own_brand_wan_cny"], p.years["revenue_wan_cny"]),
    "L13.recall": lambda p: share(d := p.of_clusters("surveys"), d["recall_count"], d["respondent_count"]),
    "L14": quotient,
    "P2": enrolled,
    "P3.count": lambda p: stock(p, "standards", "publish_date", lambda d: d["level"] == "group"),
    "P4.krugman": krugman,
    "W1b.per_mu": lambda p: town(p, "park_output_wan_cny") / town(p, "park_area_mu"),
    "W1c": lambda p: share(d := p.of_clusters("supply_chain"), d["local_input_wan_cny"], d["input_wan_cny"]),
    "W2b.three": lambda p: all_of(p.checks, ["has_standard_system", "has_metrology_system", "has_quality_system"]),
    "W2c.yield": lambda p: share(p.years, p.years["first_pass_yield_share"] * p.years["volume_t"], p.years["volume_t"]),
    "W2d.energy": lambda p: of_live(p, certified(p, "energy")),
    "W2e.cut": energy_cut,
    "W2g.removed": removed,
    "W3d.used": lambda p: share(p.years, p.years["used_patent_count"], p.years["patent_count"]),
    "W4.count": brand_stock,
    "W4c": licensed,
    "W4e.variety": variety,
    "W5c": lambda p: products(p, "has_international_standard"),
    "W7.a_share": lambda p: share(d := grades(p), d["grade"] == "A"),
    "W7.up": graded_up,
    "S3.granted": lambda p: share(d := annual(p.of_clusters("programme")), d["support_granted_count"], d["support_applied_count"]),
    "S4b.overlap": product_overlap,
}  # fmt: skip


@pytest.fixture(scope="session")
def province() -> Province:
    return Province(build_province("small").tables)


@pytest.fixture(scope="session")
def lake(province: Province, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    home = tmp_path_factory.mktemp("province")
    workspace = Workspace.create(home / "home")
    read = {name: frame for name, frame in province.t.items() if name not in {"items", "notices", "firm_names"}}
    reports = load_files(workspace, write_tidy(home / "deliveries", read))
    assert {r.verdict for r in reports} == {"OK"}
    return workspace


@pytest.fixture(scope="session")
def panels(lake: Workspace) -> dict[tuple[str, str], Panel]:
    found = {}
    for entity, freq in PANELS:
        ids = [i for i, m in read_catalogue().items() if entity in m.entities and freq in m.freqs and m.missing is None]
        found[entity, freq] = build_panel(lake, ids, entity=entity, freq=freq)
    return found


@pytest.mark.parametrize(("freq", "indicator"), [*(("Q", i) for i in BY_QUARTER), *(("A", i) for i in BY_YEAR)])
def test_values_are_those_of_plain_pandas(panels, province: Province, freq: str, indicator: str) -> None:
    expected = ({"Q": BY_QUARTER, "A": BY_YEAR}[freq])[indicator](province).dropna()
    expected.index = pd.MultiIndex.from_tuples([(e, parse_period(str(t), freq)) for e, t in expected.index])
    found = panels["cluster_id", freq].data[indicator].dropna()
    assert len(expected) > 10
    assert sorted(found.index) == sorted(expected.index)
    np.testing.assert_allclose(
        found.to_numpy(), expected.reindex(found.index).to_numpy(dtype=float), rtol=1e-9, atol=1e-9
    )


def test_every_line_but_the_licensed_value_is_computed(panels) -> None:
    computed = {i for panel in panels.values() for i in panel.indicators}
    assert set(read_catalogue()) - computed == {"G2b.value"}
    rows = {row.id for row in read_rows().values() if set(row.measures) & computed}
    assert len(rows) == 86


@pytest.mark.parametrize(("entity", "freq"), PANELS)
def test_values_lie_in_the_range_of_their_kind(panels, entity: str, freq: str) -> None:
    panel = panels[entity, freq]
    for i in panel.indicators:
        m, data = find_indicator(i), panel.data
        value = data[i].dropna()
        assert len(value), i
        assert np.isfinite(value).all(), i
        columns = {c.removeprefix(i) for c in data.columns if c == i or c.startswith(f"{i}__")}
        held = data.loc[value.index]
        if m.kind in {"rate", "weighted"}:
            assert {"", "__n", "__k", "__lo", "__hi"} <= columns, i
            assert value.between(0, 100).all(), i
            assert (held[f"{i}__lo"] <= value + 1e-9).all(), i
            assert (held[f"{i}__hi"] >= value - 1e-9).all(), i
            assert (held[f"{i}__hi"] > held[f"{i}__lo"]).all(), i
        if m.kind == "rate":
            np.testing.assert_allclose(value, 100 * held[f"{i}__k"] / held[f"{i}__n"], err_msg=i)
        if m.kind == "ratio":
            assert {"", "__num", "__den"} <= columns, i
            np.testing.assert_allclose(value, m.scale * held[f"{i}__num"] / held[f"{i}__den"], err_msg=i)
            assert (value >= 0).all(), i
        if m.kind == "difference":
            assert (held[f"{i}__lo"] <= value + 1e-9).all(), i
            assert (held[f"{i}__hi"] >= value - 1e-9).all(), i
        if m.kind == "count":
            assert (value >= 0).all(), i
            assert (value % 1 == 0).all(), i
        if m.indicator.unit == "flag":
            assert value.isin([0, 1]).all(), i
        if m.indicator.unit == "rank":
            assert value.between(1, len(panel.entities)).all(), i
        if m.indicator.unit in {"score", "share"} and i != "C1.brand":
            assert value.between(0, 100).all(), i


def test_towns_and_clusters_agree_where_a_town_has_one_cluster(panels, province: Province) -> None:
    home = province.t["clusters"].set_index("town_code")["cluster_id"]
    towns, clusters = panels["town_code", "A"].data, panels["cluster_id", "A"].data
    for i in (
        "D3",
        "N3",
        "W1.invest",
        "L6.added",
        "L14",
        "W4.score",
        "T2",
        "S1.group",
        "D4.hhi",
        "C3.oil",
        "L13.recall",
    ):
        t = towns[i].dropna()
        t.index = pd.MultiIndex.from_tuples([(home[e], p) for e, p in t.index])
        c = clusters[i].dropna()
        np.testing.assert_allclose(t.sort_index().to_numpy(), c.to_numpy(), err_msg=i)


def test_one_indicator_alone_is_the_same_as_among_all(lake: Workspace, panels) -> None:
    for i in ("D1.output", "D1c.repeat", "W2d.social", "D1b.sd", "P2"):
        alone = build_panel(lake, i, freq="Q").data
        pd.testing.assert_frame_equal(alone, panels["cluster_id", "Q"].data[list(alone.columns)].dropna(how="all"), check_dtype=False)  # fmt: skip


@pytest.mark.parametrize(
    "indicator", ["D1c.repeat", "L2.persist", "D1b.inside", "W4.count", "L4.output", "G2", "W7.up"]
)
def test_a_window_shows_the_same_values(lake: Workspace, panels, indicator: str) -> None:
    freq = find_indicator(indicator).freqs[0]
    first, last = ("2020Q2", "2021Q4") if freq == "Q" else ("2020", "2021")
    part = build_panel(lake, indicator, freq=freq, first=first, last=last).data[indicator]
    whole = panels["cluster_id", freq].data[indicator].dropna()
    periods = whole.index.get_level_values("period")
    inside = whole[(periods >= parse_period(first, freq)) & (periods <= parse_period(last, freq))]
    pd.testing.assert_series_equal(part, inside)


def test_where_the_policy_is(panels, province: Province) -> None:
    data = panels["cluster_id", "Q"].data
    spells = province.t["spells"]
    spells = spells[spells["policy_id"] == "base"].set_index("entity_id")["start_quarter"]
    event = data["T0"].dropna()
    assert set(event.index.get_level_values(0)) == set(spells.index), "the placebo has no window"
    zero = event[event == 0].index
    assert {(e, str(p)) for e, p in zero} == set(spells.items())
    fibre = province.t["clusters"].set_index("cluster_id")["industry_code"].str.startswith("28")
    chosen = data["N0"][data["N0"] == 1].index
    assert {e for e, _ in chosen} == {k for k in spells.index if fibre[k]}
    assert min(p for e, p in chosen if e == "K001") == parse_period("2022Q3", "Q")


def test_steadiness_and_lead_have_their_doubt(panels) -> None:
    data = panels["cluster_id", "Q"].data
    sd = data[[c for c in data if c.startswith("D1b.sd")]].dropna()
    assert (sd["D1b.sd__lo"] == 0).mean() > 0.5, "small counts rarely show that a rate moved"
    assert sd["D1b.sd__hi"].median() < 20
    assert sd.index.get_level_values("period").min() == parse_period("2018Q4", "Q"), "twelve quarters must be on record"
    assert data["D1b.sigma_z"].median() == pytest.approx(1, abs=0.15)
    run_of = data["L2.persist"].dropna().astype(int)
    assert (run_of.groupby("entity").diff().fillna(0) <= 1).all()


def test_what_an_indicator_cannot_be_asked_for(lake: Workspace) -> None:
    for call, code, said in (
        ({"indicators": "D3"}, "QB420", 'freq="A"'),
        ({"indicators": "D4.hhi", "freq": "A", "entity": "firm_id"}, "QB420", "cluster_id | town_code"),
        ({"indicators": "G2b.value", "freq": "A"}, "QB422", "valuation"),
        ({"indicators": "D3", "freq": "A", "first": "2031"}, "QB421", "firm_year.equipment_wan_cny"),
        ({"indicators": "W1.projects", "first": "2031Q1"}, "QB421", "projects.kind"),
        ({"indicators": "D1b.sd", "first": "2031Q1"}, "QB421", "inspections.result"),
        ({"indicators": "D33", "freq": "A"}, "QB401", "D3"),
    ):
        with pytest.raises((UsageError, DataError)) as caught:
            build_panel(lake, **call)
        assert caught.value.code == code, call
        assert said in str(caught.value), str(caught.value)
        assert len(str(caught.value).splitlines()) == 4


def test_sources_name_what_was_read(panels, lake: Workspace) -> None:
    panel = build_panel(lake, ["D3", "W1c"], freq="A")
    assert set(panel.tables) == {"clusters", "firm_year", "firms", "supply_chain"}
    assert panel.cells is None
    assert panels["cluster_id", "Q"].cells is not None


def test_the_command_tells_what_is_ready(lake: Workspace, capsys) -> None:
    (lake.root / "reports" / "specs").mkdir(parents=True, exist_ok=True)
    assert run(["indicators", "--home", str(lake.root), "--json", "--quiet"]) == 0
    listed = json.loads(capsys.readouterr().out)["indicators"]
    assert len(listed) == len(read_catalogue())
    assert {e["id"] for e in listed if e["status"] != "ready"} == {"G2b.value"}
    assert run(["indicators", "--home", str(lake.root), "--missing", "--lang", "zh"]) == 0
    out = capsys.readouterr().out
    assert "缺数据：" in out
    assert "G2b.value" in out
    assert "D1.batch" not in out
    assert len(list_indicators(lake, clause="D1")) == 4
    assert len(list_indicators(lake, clause="3.near.2")) == 9
