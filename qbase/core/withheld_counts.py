"""What of a panel is withheld outside the house, so that nothing withheld is taken for nothing tested."""

from __future__ import annotations

import dataclasses

from qbase.core import periods
from qbase.core.numbers import count
from qbase.core.text import Text

PATTERN = "pattern "
"""How the source that names the rules of a protected panel begins."""
HIDDEN = "…"
"""What stands where a value is withheld; never 0, never empty."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Withheld:
    """Which cells of a panel are withheld, and by which rules.

    Parameters
    ----------
    edition : str
        Id and version of the rules: ``cn_default-1``.
    cells : frozenset of (str, str)
        Entity and code of the period. That a cell is withheld is no secret: a reader sees the mark in its place.

    Examples
    --------
    >>> from qbase.core import Withheld
    >>> gone = Withheld(edition="cn_default-1", cells=frozenset({("K002", "2025Q3"), ("K002", "2025Q4")}))
    >>> gone.of("K002"), gone.of("K001")
    (('2025Q3', '2025Q4'), ())
    >>> print(gone.say("K002").en)
    Counts of 2 periods, the latest 2025 Q4, are withheld (…) under preset cn_default.
    """

    edition: str
    cells: frozenset[tuple[str, str]] = frozenset()

    @property
    def preset(self) -> str:
        """Id of the rules."""
        return self.edition.rpartition("-")[0]

    @property
    def by(self) -> Text:
        """The rules in words."""
        return Text(f"披露规则 {self.preset}", f"preset {self.preset}")

    def of(self, entity: str | None) -> tuple[str, ...]:
        """Return the codes of the periods withheld of an entity, in order; of all together none is."""
        return tuple(sorted(period for own, period in self.cells if own == entity))

    def say(self, entity: str | None) -> Text:
        """Say how many periods of an entity are withheld; empty for none."""
        gone = self.of(entity)
        if not gone:
            return Text("", "")
        last = periods.label(periods.parse_period(gone[-1], "Q" if "Q" in gone[-1] else "A"))
        if len(gone) == 1:
            zh, en = f"{last.zh}的计数", f"The counts of {last.en}"
        else:
            zh = f"{count(len(gone))} 期（最近为 {last.zh}）的计数"
            en = f"Counts of {count(len(gone))} periods, the latest {last.en},"
        return Text(f"{zh}按{self.by.zh}不公开（{HIDDEN}）。", f"{en} are withheld ({HIDDEN}) under {self.by.en}.")
