"""Faults put into deliveries on purpose, and the book in which each is written down."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from qbase.demo.world.scenario import Streams
from qbase.tables.credit_code import ALPHABET

COLUMNS = ("file_name", "place", "sample_no", "fault", "column", "printed", "true_value")
USCC_BLANK_SHARE, USCC_WRONG_SHARE, NAME_VARIANT_SHARE = 0.06, 0.03, 0.03
DUPLICATE_SHARE = 0.02


@dataclasses.dataclass(kw_only=True)
class Planted:
    """The book of planted faults of one set of deliveries; it grows while they are written.

    Parameters
    ----------
    rows : list
        One tuple per fault, in the order of ``COLUMNS``.
    """

    rows: list[tuple[str, str, str, str, str, str, str]] = dataclasses.field(default_factory=list)

    def add(
        self,
        file: str,
        fault: str,
        *,
        place: str = "",
        sample: str = "",
        column: str = "",
        printed: str = "",
        true: str = "",
    ) -> None:
        """Write one fault down."""
        self.rows.append((file, place, sample, fault, column, printed, true))

    def frame(self) -> pd.DataFrame:
        """Return the book as a table."""
        return pd.DataFrame(self.rows, columns=list(COLUMNS))


def spoil_codes(rows: pd.DataFrame, file: str, streams: Streams, planted: Planted) -> pd.DataFrame:
    """Return rows with some codes left blank, some with one wrong character, some names spelt differently.

    Parameters
    ----------
    rows : pandas.DataFrame
        Printed rows by canonical column.
    file : str
        Name of the delivery.
    streams : Streams
        Random streams; the name of the file is part of the stream.
    planted : Planted
        Book to write into.

    Returns
    -------
    pandas.DataFrame
        A copy.
    """
    rng = streams.rng(f"spoil.{file}")
    rows = rows.copy()
    number, place, letter = rng.random(len(rows)), rng.integers(8, 16, len(rows)), rng.integers(1, 31, len(rows))
    codes, samples = rows["uscc"].tolist(), rows["sample_no"].tolist()
    wrong_from = USCC_BLANK_SHARE + USCC_WRONG_SHARE
    for k in np.flatnonzero(number < wrong_from).tolist():
        true = codes[k]
        if number[k] < USCC_BLANK_SHARE:
            codes[k], fault = "", "uscc_blank"
        else:
            at = int(place[k])
            other = ALPHABET[(ALPHABET.index(true[at]) + int(letter[k])) % len(ALPHABET)]
            codes[k], fault = true[:at] + other + true[at + 1 :], "uscc_wrong"
        planted.add(file, fault, sample=samples[k], column="uscc", printed=codes[k], true=true)
    names = rows["firm_name"].tolist()
    for k in np.flatnonzero((number >= wrong_from) & (number < wrong_from + NAME_VARIANT_SHARE)).tolist():
        true, names[k] = names[k], _variant(names[k], int(letter[k]))
        planted.add(file, "name_variant", sample=samples[k], column="firm_name", printed=names[k], true=true)
    return rows.assign(uscc=codes, firm_name=names)


def _variant(name: str, kind: int) -> str:
    """Return the same firm as a clerk may write it: a space inside, a longer form, one in front."""
    if kind % 3 == 0 and name.endswith("有限公司"):
        return name.removesuffix("有限公司") + "有限责任公司"
    if kind % 3 == 1:
        return name[:2] + "\u3000" + name[2:]
    return "云泽省" + name


def add_duplicates(rows: pd.DataFrame, file: str, streams: Streams, planted: Planted) -> pd.DataFrame:
    """Return rows with some batches printed again under the notice of another level."""
    rng = streams.rng(f"duplicates.{file}")
    again = rows[rng.random(len(rows)) < DUPLICATE_SHARE].copy()
    again["notice_no"] = again["notice_no"] + "-转"
    for sample, notice in zip(again["sample_no"], again["notice_no"], strict=True):
        planted.add(file, "duplicate_notice", sample=sample, column="notice_no", printed=notice, true=notice[:-2])
    return pd.concat([rows, again], ignore_index=True)


def old_town_codes(rows: pd.DataFrame, file: str, towns: pd.DataFrame, planted: Planted) -> pd.DataFrame:
    """Return rows of the years before 2020 with the code that one town had until it was merged.

    Half of its samples come from the part that was merged and still carry the old code.
    """
    old = towns[towns["successor_code"] != ""].iloc[0]
    here = (rows["town_code"] == old["successor_code"]) & (rows["sample_no"].str[-1].astype(int) % 2 == 0)
    for sample in rows.loc[here, "sample_no"]:
        planted.add(
            file,
            "old_town_code",
            sample=sample,
            column="town_code",
            printed=old["town_code"],
            true=old["successor_code"],
        )
    return rows.assign(town_code=rows["town_code"].mask(here, old["town_code"]))
