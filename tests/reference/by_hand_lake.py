"""The tables as they lie in the lake, and one kind of entity by one length of period over them."""

from __future__ import annotations

import functools
import pathlib

import pandas as pd
from deltalake import DeltaTable

PROVENANCE = ["delivery_sha256", "sheet", "row_no"]


class Lake:
    """The tables as they lie on disk, dates as timestamps, doubled deliveries taken once, towns by today's codes."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.kept: dict[tuple, pd.Series] = {}
        self.tables: dict[str, pd.DataFrame] = {}
        for path in sorted(p for p in folder.iterdir() if (p / "_delta_log").is_dir()):
            frame = DeltaTable(str(path)).to_pandas()
            frame = frame.drop(columns=[c for c in PROVENANCE if c in frame]).drop_duplicates()
            self.tables[path.name] = frame.assign(**{c: pd.to_datetime(frame[c]) for c in frame if c.endswith("_date")})
        towns = self.tables["towns"].dropna(subset=["successor_code", "valid_to_date"])
        now = dict(zip(towns["town_code"], towns["successor_code"], strict=True))
        for frame in self.tables.values():
            if "town_code" in frame:
                frame["town_code"] = frame["town_code"].replace(now)

    def __getitem__(self, table: str) -> pd.DataFrame:
        return self.tables[table]


class Hand:
    """One kind of entity and one length of period over the lake."""

    def __init__(self, lake: Lake, entity: str, freq: str) -> None:
        self.lake, self.entity, self.freq = lake, entity, freq
        dates = lake["inspections"]["sample_date"]
        self.periods = pd.period_range(dates.min(), dates.max(), freq="Q" if freq == "Q" else "Y")
        firms = lake["firms"].assign(firm=lake["firms"]["firm_id"])
        self.firms = firms.assign(
            entity=firms[entity],
            entry=pd.PeriodIndex(firms["entry_quarter"], freq="Q").start_time,
            exit=pd.PeriodIndex(firms["exit_quarter"].fillna("2999Q1"), freq="Q").start_time,
        )
        clusters = lake["clusters"]
        self.owner = clusters.assign(entity=clusters["cluster_id"])
        if entity == "town_code":
            self.owner = clusters.assign(entity=clusters["town_code"])

    def label(self, dates: pd.Series) -> pd.PeriodIndex:
        return pd.PeriodIndex(dates, freq="Q" if self.freq == "Q" else "Y")

    def yearly(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(period=pd.PeriodIndex(frame["year"].astype(str), freq="Y"))

    def of_firms(self, table: str) -> pd.DataFrame:
        known = [
            c
            for c in (
                "entity",
                "cluster_id",
                "town_code",
                "industry_code",
                "is_lead",
                "is_above_scale",
                "is_in_park",
                "size_class",
            )
            if c in self.firms
        ]
        return self.lake[table].merge(self.firms[["firm_id", *known]], on="firm_id")

    def of_clusters(self, table: str) -> pd.DataFrame:
        frame = self.lake[table].merge(self.owner[["cluster_id", "entity"]], on="cluster_id")
        if "quarter" in frame:
            return frame.assign(period=self.label(pd.PeriodIndex(frame["quarter"], freq="Q").start_time))
        return self.yearly(frame) if "year" in frame else frame

    @functools.cached_property
    def samples(self) -> pd.DataFrame:
        i = self.lake["inspections"]
        firms = self.firms
        by_code = i["uscc"].map(
            firms[firms["uscc"].notna()].drop_duplicates("uscc", keep=False).set_index("uscc")["firm_id"]
        )
        by_name = i["firm_name"].map(firms.drop_duplicates("firm_name", keep=False).set_index("firm_name")["firm_id"])
        firm_id = by_code.fillna(i["firm_code"].where(i["firm_code"].isin(firms["firm_id"]))).fillna(by_name)
        known = firms.set_index("firm_id")
        i = i.assign(firm_id=firm_id, firm=firm_id.fillna(i["uscc"]).fillna(i["firm_name"]))
        for column in ("cluster_id", "industry_code", "is_lead"):
            i[column] = firm_id.map(known[column])
        i["town_code"] = i["town_code"].fillna(firm_id.map(known["town_code"]))
        i["size_class"] = i["size_class"].fillna(firm_id.map(known["size_class"]))
        i["entity"] = i[self.entity]
        i["period"] = self.label(i["sample_date"])
        i["quarter"] = pd.PeriodIndex(i["sample_date"], freq="Q")
        i["ok"] = (i["result"] == "pass") | (i["appeal_result"] == "overturned")
        i["again"] = i["is_recheck"].astype(bool) | i["parent_no"].notna()
        return i[i["entity"].notna()]

    @functools.cached_property
    def first(self) -> pd.DataFrame:
        """First inspections at the producer: no re-checks, complaints or follow-ups."""
        i = self.samples
        return i[~i["again"] & (i["role"] == "producer") & ~i["sample_type"].isin(["complaint", "followup"])]

    @functools.cached_property
    def alive(self) -> pd.DataFrame:
        """Firms alive at some time of a period; the quarter of the exit is the first one without the firm."""
        parts = [
            self.firms[(self.firms["entry"] <= p.end_time) & (self.firms["exit"] > p.start_time)].assign(period=p)
            for p in self.periods
        ]
        return pd.concat(parts, ignore_index=True)

    @functools.cached_property
    def at_end(self) -> pd.DataFrame:
        """Firms alive on the last day of a period."""
        parts = [
            self.firms[(self.firms["entry"] <= p.end_time) & (self.firms["exit"] > p.end_time)].assign(period=p)
            for p in self.periods
        ]
        return pd.concat(parts, ignore_index=True)

    @functools.cached_property
    def years(self) -> pd.DataFrame:
        y = self.yearly(self.of_firms("firm_year"))
        return y.assign(output=y["output_wan_cny"].fillna(y["revenue_wan_cny"]))

    @functools.cached_property
    def checks(self) -> pd.DataFrame:
        return self.yearly(self.of_firms("firm_checks"))

    @functools.cached_property
    def works(self) -> pd.DataFrame:
        return self.of_clusters("programme")

    @functools.cached_property
    def services(self) -> pd.DataFrame:
        s = (
            self.lake["platform_services"]
            .merge(self.lake["platforms"], on="platform_id")
            .merge(self.owner[["cluster_id", "entity"]], on="cluster_id")
        )
        return s.assign(period=self.label(pd.PeriodIndex(s["quarter"], freq="Q").start_time))

    @functools.cached_property
    def town(self) -> pd.DataFrame:
        """A figure of the town, also for each cluster in it."""
        t = self.yearly(self.lake["town_year"])
        if self.entity == "town_code":
            return t.assign(entity=t["town_code"])
        return t.merge(self.owner[["town_code", "entity"]], on="town_code")

    @functools.cached_property
    def products(self) -> pd.DataFrame:
        return self.lake["firm_products"]

    @functools.cached_property
    def market(self) -> pd.DataFrame:
        m = self.owner[["entity", "industry_code"]].drop_duplicates().merge(self.lake["market"], on="industry_code")
        return self.yearly(m)

    def everywhere(self) -> pd.MultiIndex:
        return pd.MultiIndex.from_product(
            [sorted(self.owner["entity"].unique()), self.periods], names=["entity", "period"]
        )
