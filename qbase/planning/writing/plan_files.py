"""The sampling list as a workbook for the office alone, and the plan as a document whose hash tells any change."""

from __future__ import annotations

import datetime
import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import pandas as pd

from qbase.core.errors import DataError, PanelError, UsageError
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.whole_files import write_atomic
from qbase.export import write_xlsx
from qbase.planning.drawing.committed_seed import Commitment

COVER, LIST = "说明 About", "抽样名单 Sampling list"
INTERNAL = Text(
    "内部资料：名单在检查之前不得告知企业，不得外传。",
    "Internal: firms must not learn of this list before they are visited, and it stays in the office.",
)
HEADS = {
    "level": "级别 Level",
    "entity": "集群 Cluster",
    "name": "集群名称 Name of cluster",
    "stratum": "层 Stratum",
    "firm_id": "企业 Firm",
    "quarter": "最早季度 Earliest quarter",
    "probability": "入样概率 Chance to be drawn",
    "number": "随机数 Random number",
}
NEEDED = ("level", "entity", "stratum", "firm_id", "number", "probability", "quarter")
FORM = "qbase-plan-1"


def write_sampling_list(
    drawn: pd.DataFrame,
    path: pathlib.Path | None = None,
    *,
    names: Mapping[str, Text] | None = None,
    profile: str = "internal",
) -> bytes:
    """Write the drawn firms as a workbook for those who visit them; it never leaves the office.

    Parameters
    ----------
    drawn : pandas.DataFrame
        Of `draw_firms`.
    path : pathlib.Path or None
        Written whole or not at all; None only returns the bytes.
    names : mapping of str to Text or None
        Of clusters by code, such as ``Strata.labels``.
    profile : str
        ``internal``; any other is refused.

    Returns
    -------
    bytes
        A sheet that says what this is and for whom, and one row a firm; the same list gives the same bytes.

    Raises
    ------
    UsageError
        The profile is not internal (QB630).
    PanelError
        A column of `draw_firms` is missing (QB627).

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.planning import draw_firms, write_sampling_list
    >>> frame = pd.DataFrame({"firm_id": [f"F{i}" for i in range(9)], "entity": "K001", "stratum": "B-small"})
    >>> plan = pd.DataFrame({"entity": ["K001"], "stratum": ["B-small"], "drawn": [3]})
    >>> len(write_sampling_list(draw_firms(frame, plan, seed="5d" * 32, year=2026))) > 1000
    True
    """
    if profile != "internal":
        raise UsageError("QB630", found=f"profile={profile!r}", expected="internal", fix='profile="internal"')
    missing = [c for c in NEEDED if c not in drawn]
    if missing:
        raise PanelError(
            "QB627", found="no column " + ", ".join(missing), expected=", ".join(NEEDED), fix="draw_firms(…)"
        )
    known = names or {}
    listed = drawn.assign(name=[known[e].zh if e in known else "" for e in drawn["entity"]])
    listed = listed.sort_values(["level", "entity", "quarter", "stratum", "number"], kind="stable")
    about = [
        INTERNAL.zh,
        INTERNAL.en,
        f"{len(drawn):,} 家 firms · {drawn['entity'].nunique():,} 个集群 clusters",
        "入样概率是计算合格率时的权重，不得改动；找不到的企业如实登记，不得替换。",
        "The chance to be drawn weighs the results and stays as it is; a firm not found is recorded, never replaced.",
    ]
    sheets = {COVER: pd.DataFrame({INTERNAL.zh[:4]: about}), LIST: listed[list(HEADS)].rename(columns=HEADS)}
    return write_xlsx(sheets, path)


def write_plan(
    plan: Result,
    path: pathlib.Path,
    *,
    commitment: Commitment,
    signed_on: datetime.date,
    seed: str | None = None,
) -> str:
    """Write a plan as it was signed off: what is drawn where, what that promises, of which data, under which seed.

    Parameters
    ----------
    plan : Result
        Of `plan_draws`.
    path : pathlib.Path
        JSON; written whole or not at all.
    commitment : Commitment
        Published before the list was closed.
    signed_on : datetime.date
        Day on which the plan was signed off.
    seed : str or None
        Of `build_seed`, once the secret is revealed.

    Returns
    -------
    str
        SHA-256 of the contents, 64 hexadecimal digits; it stands in the document.

    Raises
    ------
    UsageError
        The result is no plan of draws (QB631).

    Examples
    --------
    >>> import datetime, pathlib
    >>> from qbase.lake import open_workspace
    >>> from qbase.planning import build_commitment, plan_draws, read_strata, verify_plan, write_plan
    >>> plan, day = plan_draws(read_strata(open_workspace()), within_pp=10), datetime.date(2025, 11, 3)
    >>> path = pathlib.Path("plan.json")
    >>> digest = write_plan(plan, path, commitment=build_commitment("5d" * 32, day), signed_on=day)
    >>> verify_plan(path)["sha256"] == digest
    True
    """
    if "allocation" not in plan.tables:
        found = ", ".join(plan.tables) or plan.name
        raise UsageError(
            "QB631", found=found, expected="plan_draws(…)", fix="write_plan(plan_draws(strata, within_pp=5))"
        )
    contents: dict[str, Any] = {
        "form": FORM,
        "signed_on": signed_on.isoformat(),
        "outcome": plan.outcome.id,
        "said": {"zh": plan.say().items[0].zh, "en": plan.say().items[0].en},
        "settings": {key: plan.settings[key] for key in sorted(plan.settings)},
        "data": [{"path": s.path, "sha256": s.sha256, "snapshot": s.snapshot} for s in plan.sources],
        "commitment": {"digest": commitment.digest, "day": commitment.day.isoformat()},
        "seed": seed,
        **{
            name: json.loads(plan.tables[name].to_json(orient="split", index=False))
            for name in ("allocation", "precision")
        },
    }
    digest = _digest(contents)
    write_atomic(path, json.dumps(contents | {"sha256": digest}, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    return digest


def verify_plan(path: pathlib.Path) -> dict[str, Any]:
    """Verify that a signed plan is the one that was written, and return it.

    Parameters
    ----------
    path : pathlib.Path
        Of `write_plan`.

    Returns
    -------
    dict
        Its contents, ``sha256`` included.

    Raises
    ------
    DataError
        It is no such document, or was changed since (QB632).

    Examples
    --------
    >>> import pathlib
    >>> from qbase.planning import verify_plan
    >>> path = pathlib.Path("changed.json")
    >>> _ = path.write_text('{"form": "qbase-plan-1", "sha256": "00"}')
    >>> verify_plan(path)
    Traceback (most recent call last):
        ...
    qbase.core.errors.DataError: error[QB632] this is not the plan that was signed off
      found     sha256 00 in the document
      expected  ...
    """
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        held = {"form": f"{type(error).__name__}"}
    if not isinstance(held, dict) or held.get("form") != FORM:
        found = held.get("form", "another document") if isinstance(held, dict) else "another document"
        raise DataError("QB632", found=f"{path.name}: {found}", expected=FORM, fix="write_plan(plan, path, …)")
    digest = _digest({key: value for key, value in held.items() if key != "sha256"})
    if digest != held.get("sha256"):
        raise DataError(
            "QB632", found=f"sha256 {held.get('sha256')} in the document", expected=f"{digest} of its contents",
            fix="take the document that was signed off, or sign off the changed plan anew",
        )  # fmt: skip
    return held


def _rows_of(table: pd.DataFrame) -> Any:
    return json.loads(table.to_json(orient="split", index=False))


def _digest(contents: Mapping[str, Any]) -> str:
    plain = json.dumps(contents, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()
