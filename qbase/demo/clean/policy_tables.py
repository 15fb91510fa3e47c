"""Clean tables of the policy: documents, spells, instruments and safeguards."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qbase.demo.clean.core_tables import QUARTER_STARTS, cluster_ids, document_dates, quarter_codes, texts
from qbase.demo.world.firm_population import NEVER
from qbase.demo.world.quarters import World
from qbase.demo.world.scenario import ACCEPTANCE_DELAY, FIRST_YEAR, N_QUARTERS, PLACEBO_QUARTER

BASE, PLACEBO = "base", "placebo"
FICTIONAL_DATE = "虚构日期：原文的 2022-08-10 是网页上传时间"


def build_policies(world: World) -> pd.DataFrame:
    """Build table policies: the base policy of the seed text, and a document without content."""
    start = int(world.plan.cohort.min())
    accepted = document_dates(np.array([start + ACCEPTANCE_DELAY]))[0]
    rows = [
        (BASE, "关于创建优质产品生产基地的管理意见（虚构）", "Opinion on bases of quality products (fictional)", start),
        (
            PLACEBO,
            "关于开展质量月宣传活动的通知（虚构，只有文件）",
            "Notice on a month of quality (fictional)",
            PLACEBO_QUARTER,
        ),
    ]
    return pd.DataFrame(
        {
            "policy_id": policy_id,
            "policy_name": zh,
            "policy_name_en": en,
            "kind": "binary",
            "issuer_name": "云泽省各镇人民政府",
            "document_no": f"云镇发〔{FIRST_YEAR + t // 4}〕{n + 12}号",
            "drafted_date": QUARTER_STARTS[max(t - 1, 0)].astype(str),
            "announced_date": document_dates(np.array([t]))[0],
            "effective_date": document_dates(np.array([t]))[0],
            "funded_date": QUARTER_STARTS[t + 1].astype(str) if policy_id == BASE else "",
            "accepted_date": accepted if policy_id == BASE else "",
            "date_source": FICTIONAL_DATE,
            "date_confidence": "fictional",
        }
        for n, (policy_id, zh, en, t) in enumerate(rows)
    )


def build_spells(world: World) -> pd.DataFrame:
    """Build table spells: one open spell per adopting cluster."""
    ids = cluster_ids(world)
    parts = [
        pd.DataFrame(
            {
                "policy_id": policy,
                "entity_id": ids[start < NEVER],
                "start_quarter": quarter_codes(start[start < NEVER]),
                "end_quarter": "",
            }
        )
        for policy, start in ((BASE, world.plan.cohort), (PLACEBO, world.plan.placebo))
    ]
    return pd.concat(parts, ignore_index=True)


def build_instruments(world: World) -> pd.DataFrame:
    """Build table instruments: seven doses and five safeguards by cluster and quarter."""
    n = world.geo.n_clusters
    event = np.arange(N_QUARTERS)[None, :] - world.plan.cohort[:, None]
    delay = world.streams.rng("safeguards").integers(0, 6, (n, 5))
    table: dict[str, object] = {
        "cluster_id": np.repeat(cluster_ids(world), N_QUARTERS),
        "quarter": np.tile(quarter_codes(np.arange(N_QUARTERS)), n),
    }
    for k in range(7):
        table[f"dose_w{k + 1}"] = world.plan.doses[:, :, k].ravel()
    for k in range(5):
        table[f"has_s{k + 1}"] = (event >= delay[:, k : k + 1]).ravel()
    frame = pd.DataFrame(table)
    return frame.assign(cluster_id=texts(frame["cluster_id"]))
