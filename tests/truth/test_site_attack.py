"""Nothing withheld is recovered from rendered pages: tables, the data beside them, sentences and drawings."""

from __future__ import annotations

import dataclasses
import importlib.util
import pathlib
import sys

import pandas as pd
import pytest

from qbase.core import Panel
from qbase.release import DisclosurePattern, withhold_cells


def load(name: str):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, pathlib.Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


whole, site = load("test_disclosure_attack"), load("published_site")
SEED = 1


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    return whole.draw_counts(SEED, clusters=7, strata=1)


@pytest.fixture(scope="module")
def pattern(counts: pd.DataFrame) -> DisclosurePattern:
    return whole.plan(counts)


@pytest.fixture(scope="module")
def pages(counts: pd.DataFrame, pattern: DisclosurePattern) -> dict[tuple[str, str | None], str]:
    return site.site_of(counts, lambda panel: withhold_cells(panel, [pattern], whole.RULES))


def attack(counts: pd.DataFrame, pattern: DisclosurePattern, pages: dict[tuple[str, str | None], str]) -> list:
    """Attack with what pages show, and with the province, which others publish; strata are on no page."""
    full = whole.site_of(counts, pattern)
    names = {place: kind for kind in site.KINDS for place in counts[kind].unique()}
    read = {(names[key[1]], *key[1:]): value for key, value in site.read_site(pages).items()}
    known = {**{key: value for key, value in full.shown.items() if key[0] == "province"}, **read}
    return whole.attack([whole.Site(full.atoms, known, full.withheld)])


def test_every_page_is_read_and_shows_what_the_pattern_shows(pattern: DisclosurePattern, pages: dict) -> None:
    cells = pattern.cells[pattern.cells["kind"].isin(list(site.KINDS)) & (pattern.cells["group"] == "*")]
    shown = cells[(cells["state"] == "shown") & ~cells["period"].str.contains("-")]
    read = {(place, period): value for (_, place, _, period), value in site.read_site(pages).items()}
    assert len(shown) > 4
    assert {key: read[key] for key in zip(shown["place"], shown["period"], strict=True)} == {
        (row.place, row.period): (row.n, row.k) for row in shown.itertuples()
    }
    hidden = cells[~cells["state"].isin(["shown"])]
    assert len(hidden) > 4
    assert not {(row.place, row.period) for row in hidden.itertuples()} & set(read)


def test_nothing_is_recovered_from_the_pages(counts: pd.DataFrame, pattern: DisclosurePattern, pages: dict) -> None:
    found = attack(counts, pattern, pages)
    assert len(found) > 15
    assert [f for f in found if f.is_pinned] == []


def test_the_same_reader_breaks_pages_that_blank_small_cells_alone(
    counts: pd.DataFrame, pattern: DisclosurePattern, pages: dict
) -> None:
    cells = pattern.cells.assign(state=pattern.cells["state"].replace("secondary", "shown"))
    halves = dataclasses.replace(pattern, cells=cells)
    open_pages = site.site_of(counts, lambda panel: withhold_cells(panel, [halves], whole.RULES), pages)
    pinned = [f for f in attack(counts, pattern, open_pages) if f.is_pinned]
    assert any(round(f.passed[0]) == f.k and round(f.failed[0]) == f.n - f.k for f in pinned)


def test_pages_are_the_same_whatever_the_withheld_counts_are(
    counts: pd.DataFrame, pattern: DisclosurePattern, pages: dict
) -> None:
    def protect_other(panel: Panel) -> Panel:
        left = withhold_cells(panel, [pattern], whole.RULES)
        gone = ~panel.data.index.isin(left.data.index)
        data = panel.data.copy()
        data.loc[gone, [f"{site.OUTCOME}__n", f"{site.OUTCOME}__k"]] += 7
        cells = pattern.cells.copy()
        cells.loc[pattern.is_hidden, ["n", "k"]] += 7
        other = dataclasses.replace(pattern, cells=cells)
        return withhold_cells(dataclasses.replace(panel, data=data), [other], whole.RULES)

    left = protect_other(site.panel_of(counts, "cluster"))
    assert left.withheld.cells
    subject = left.entities[0]
    assert site.page_of(left, subject) == pages["cluster", subject]
    assert site.page_of(left, None) == pages["cluster", None]
