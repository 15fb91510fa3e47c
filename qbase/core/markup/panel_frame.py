"""A panel as a plain frame for other libraries, and its entities found by code or by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from qbase.core.errors import PanelError
from qbase.core.given import read_entity_id
from qbase.core.markup.shown_place import shown_language
from qbase.core.nearest_name import suggest_names
from qbase.core.periods import code
from qbase.core.text import Text, same

HEAD = ("entity", "name", "period", "start")


def build_frame(
    data: pd.DataFrame,
    indicators: Iterable[str],
    labels: Mapping[str, Text],
    *,
    wide: bool,
    lang: str | None,
) -> pd.DataFrame:
    """Return entity, name, period and its first day, then the values: a row per indicator, or a column for each.

    Parameters
    ----------
    data, indicators, labels
        As in `Panel`.
    wide : bool
        One row per entity and period, with the columns of the panel.
    lang : {"zh", "en"} or None
        Of the names; None takes the language JupyterLab shows.
    """
    said = lang or shown_language()
    entities, periods = (data.index.get_level_values(i) for i in (0, 1))
    names = {e: labels.get(str(e), same(str(e)))[said] for e in entities.unique()}
    codes = {p: code(p) for p in periods.unique()}
    head = pd.DataFrame(
        {
            "entity": [str(e) for e in entities],
            "name": [names[e] for e in entities],
            "period": [codes[p] for p in periods],
            "start": pd.PeriodIndex(periods).to_timestamp(),
        }
    )
    values = data.reset_index(drop=True)
    if wide:
        return pd.concat([head, values], axis=1)
    parts = []
    for indicator in indicators:
        behind = {c: c.removeprefix(f"{indicator}__") for c in values.columns if c.startswith(f"{indicator}__")}
        own = values[[indicator, *behind]].rename(columns={indicator: "value", **behind})
        parts.append(pd.concat([head, pd.Series(indicator, index=head.index, name="indicator"), own], axis=1))
    return pd.concat(parts, ignore_index=True)


def find_entity(word: object, entities: Iterable[str], labels: Mapping[str, Text]) -> str:
    """Return the entity of a panel that a code or a name in either language means.

    Raises
    ------
    PanelError
        The panel holds none of this code or name, or several of this name (QB192).
    """
    known = list(entities)
    wanted = read_entity_id(word) or str(word)
    if wanted in known:
        return wanted
    named = [e for e in known if e in labels and wanted in {labels[e].zh, labels[e].en}]
    if len(named) == 1:
        return named[0]
    words = known + [t[lang] for e, t in labels.items() if e in known for lang in ("zh", "en")]
    like = [word for word in words if wanted.lower() in word.lower()]
    raise PanelError(
        "QB192",
        entity=wanted,
        found=wanted if not named else f"{wanted}: {', '.join(named)}",
        expected=" | ".join(like[:8]) or suggest_names(wanted, words),
        fix='panel["D1.batch", "K001"]',
    )


def list_keys(indicators: Iterable[str], entities: Iterable[str], labels: Mapping[str, Text]) -> list[object]:
    """Return what stands in the brackets of a panel: indicators, and with each every entity by name and code."""
    outcomes, who = list(indicators), list(entities)
    words = dict.fromkeys([labels[e][lang] for lang in ("zh", "en") for e in who if e in labels] + who)
    return [*outcomes, *((outcome, word) for outcome in outcomes for word in words)]
