"""Design-based estimates of R's `survey` on its own data: 15 school districts of California drawn whole.

Lumley, T. (2004). Analysis of complex survey samples. Journal of Statistical Software 9(8). The figures are those of
`svymean`, `svytotal` and `postStratify` in version 4.1-1 (apiclus1, 757 districts, strata by school type). The data
are under the GPL and are read from where the package lies: in the folder QBASE_SURVEY_DATA names, or in R's library.
"""

from __future__ import annotations

import lzma
import os
import pathlib
import struct

import numpy as np
import pandas as pd
import pytest

from qbase.stats.design.design_weights import poststratified_mean

PLACES = ("/usr/lib/R/site-library/survey/data", "/usr/lib/R/library/survey/data")
SCHOOLS = {"E": 4421, "H": 755, "M": 1018}
DISTRICTS = 757

SYMBOL, PAIRS, TEXT, END, KNOWN = 1, 2, 9, 254, 255
NUMBERS = {10: ">i4", 13: ">i4", 14: ">f8"}
LISTS = (16, 19)
HAS_ATTRIBUTES = 512


class RData:
    """A reader of the few kinds of value that the data frames of an ``.rda`` file are made of."""

    def __init__(self, packed: bytes) -> None:
        self.data = lzma.decompress(packed)
        self.at = 19  # RDX2, X, and three versions
        self.names: list[str] = []

    def numbers(self, kind: str, count: int) -> np.ndarray:
        found = np.frombuffer(self.data, dtype=kind, count=count, offset=self.at)
        self.at += found.nbytes
        return found.astype(kind[1:])

    def whole(self) -> int:
        self.at += 4
        return struct.unpack(">i", self.data[self.at - 4 : self.at])[0]

    def pairs(self) -> dict[str, object]:
        found = {}
        while (flags := self.whole()) & 255 != END:
            assert flags & 255 == PAIRS
            name = self.value()
            found[name] = self.value()
        return found

    def value(self) -> object:
        flags = self.whole()
        kind = flags & 255
        if kind == END:
            return None
        if kind == SYMBOL:
            self.names.append(self.value())
            return self.names[-1]
        if kind == KNOWN:
            return self.names[(flags >> 8) - 1]
        length = self.whole()
        if kind == TEXT:
            self.at += max(length, 0)
            return None if length < 0 else self.data[self.at - length : self.at].decode("latin-1")
        if kind in NUMBERS:
            found = self.numbers(NUMBERS[kind], length)
        else:
            assert kind in LISTS, f"values of kind {kind}"
            found = [self.value() for _ in range(length)]
        more = self.pairs() if flags & HAS_ATTRIBUTES else {}
        if "levels" in more:
            return np.array([None, *more["levels"]], dtype=object)[np.maximum(found, 0)]
        return dict(zip(more["names"], found, strict=True)) if kind == LISTS[1] and "names" in more else found


@pytest.fixture(scope="module")
def schools() -> pd.DataFrame:
    places = [os.environ.get("QBASE_SURVEY_DATA", ""), *PLACES]
    file = next((f for p in places if p and (f := pathlib.Path(p) / "api.rda").is_file()), None)
    if file is None:
        pytest.skip(
            "the data of R's package survey are not here: unpack Debian's r-cran-survey and set QBASE_SURVEY_DATA"
        )
    return pd.DataFrame(RData(file.read_bytes()).pairs()["apiclus1"])


def by_district(schools: pd.DataFrame, value: str, stratum: pd.Series | str) -> tuple[np.ndarray, np.ndarray]:
    """Return sums and numbers by district (the primary unit) and stratum."""
    rows = pd.DataFrame({"district": schools["dnum"], "stratum": stratum, "value": schools[value].astype(float)})
    cells = rows.groupby(["district", "stratum"])["value"].agg(["sum", "size"]).unstack(fill_value=0)
    return cells["sum"].to_numpy(dtype=float), cells["size"].to_numpy(dtype=float)


def test_the_mean_of_districts_drawn_whole(schools):
    assert len(schools) == 183
    found = poststratified_mean(*by_district(schools, "api00", "all"), 1.0, np.ones(1), sampled_share=15 / DISTRICTS)
    assert (round(found.value, 3), round(found.std_error, 4)) == (644.169, 23.5422)


def test_the_total_of_districts_drawn_whole(schools):
    """The mean of a district's weighted total, times the districts drawn."""
    sums, _ = by_district(schools, "enroll", "all")
    found = poststratified_mean(sums, np.ones_like(sums), 1.0, np.ones(1), sampled_share=15 / DISTRICTS)
    scale = 15 * float(schools["pw"].iloc[0])
    assert (round(scale * found.value), round(scale * found.std_error)) == (3404940, 932235)


def test_post_stratified_mean_and_total(schools):
    schools_of = np.array([float(SCHOOLS[kind]) for kind in sorted(SCHOOLS)])
    weight, share = float(schools["pw"].iloc[0]), 15 / DISTRICTS
    sums, counts = by_district(schools, "api00", schools["stype"])
    found = poststratified_mean(sums, counts, weight, schools_of, sampled_share=share)
    assert (round(found.value, 3), round(found.std_error, 4)) == (642.311, 23.9205)
    sums, counts = by_district(schools, "enroll", schools["stype"])
    found = poststratified_mean(sums, counts, weight, schools_of, sampled_share=share)
    total, error = (schools_of.sum() * x for x in (found.value, found.std_error))
    assert (round(total), round(error)) == (3680893, 406293)


def test_recorded_probabilities_give_the_ratio_of_a_survey_library():
    """Five firms drawn with known probabilities: weights 10, 5, 5, 2, 1. svy 0.35.0 gives 16 / 23 and this error."""
    p, passed = np.array([0.1, 0.2, 0.2, 0.5, 1.0]), np.array([1, 1, 0, 0, 1])
    ours = poststratified_mean(passed[:, None] / p[:, None], 1 / p[:, None], 1.0, np.ones(1))
    assert ours.value == pytest.approx(16 / 23)
    assert ours.std_error == pytest.approx(0.24645455706843278)
