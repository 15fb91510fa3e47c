"""Who may be compared with the treated: the same product, not next door, no firm in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping

import pandas as pd

from qbase.core.errors import DataError, UsageError
from qbase.core.given import match_spellings
from qbase.core.text import Text
from qbase.core.values import freeze

OTHER_PRODUCT = Text("产品不同", "another product")
SHARED_FIRM = Text("与采用者有共同的企业", "shares a firm with a treated one")
NEXT_DOOR = Text("与采用者相邻", "next to a treated one")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Controls:
    """Treated, controls and spillover arm of a comparison, and why the others stand in none of them.

    Parameters
    ----------
    treated, controls : tuple of str
        In order of their ids.
    spillover : mapping
        Entity of the spillover arm -> treated neighbours, in order: not treated, and not to be compared with.
    left_out : mapping
        Entity -> why it is no control.

    Examples
    --------
    >>> from qbase.effects import Controls
    >>> Controls(treated=("K001",), controls=("K004", "K007"), spillover={"K002": ("K001",)}, left_out={})
    <Controls: 1 treated, 2 controls, 1 in the spillover arm, 0 left out>
    """

    treated: tuple[str, ...]
    controls: tuple[str, ...]
    spillover: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, Text]

    def __post_init__(self) -> None:
        object.__setattr__(self, "spillover", freeze(self.spillover))
        object.__setattr__(self, "left_out", freeze(self.left_out))

    @property
    def compared(self) -> tuple[str, ...]:
        """Treated and controls: the entities of the main estimate."""
        return tuple(sorted((*self.treated, *self.controls)))

    def __repr__(self) -> str:
        return (
            f"<Controls: {len(self.treated)} treated, {len(self.controls)} controls, {len(self.spillover)} in the "
            f"spillover arm, {len(self.left_out)} left out>"
        )


def choose_controls(
    entities: pd.DataFrame,
    treated: Collection[str],
    *,
    adjacent: pd.DataFrame | None = None,
    firms: pd.DataFrame | None = None,
) -> Controls:
    """Choose controls by default: the same product as a treated entity, not adjacent to one, no firm in common.

    Parameters
    ----------
    entities : pandas.DataFrame
        Columns entity and product, one row an entity.
    treated : collection of str
        Ids of the treated.
    adjacent : pandas.DataFrame or None
        Columns entity and neighbour, each pair once or twice; None where nothing is known of borders.
    firms : pandas.DataFrame or None
        Columns entity and firm, of the baseline; None where firms have one place each.

    Returns
    -------
    Controls
        Those of the same product next to a treated entity are its spillover arm.

    Raises
    ------
    UsageError
        A frame lacks a column (QB561).
    DataError
        A treated entity is not among the entities, or one stands twice (QB562).

    References
    ----------
    Butts, K. (2021). Difference-in-differences estimation with spatial spillovers. arXiv:2105.03737 (why those next
    door are no controls).

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.effects import choose_controls
    >>> products = {"K001": "2822", "K002": "2822", "K003": "3443", "K004": "2822"}
    >>> entities = pd.DataFrame(products.items(), columns=["entity", "product"])
    >>> adjacent = pd.DataFrame({"entity": ["K001"], "neighbour": ["K002"]})
    >>> chosen = choose_controls(entities, ["K001"], adjacent=adjacent)
    >>> chosen.controls, dict(chosen.spillover), chosen.left_out["K003"].en
    (('K004',), {'K002': ('K001',)}, 'another product')
    """
    for name, frame, columns in (
        ("entities", entities, ("entity", "product")),
        ("adjacent", adjacent, ("entity", "neighbour")),
        ("firms", firms, ("entity", "firm")),
    ):
        _check_columns(name, frame, columns)
    treated, adjacent, firms = _as_listed(entities, treated, adjacent, firms)
    product = _products(entities, treated)
    made = {product[e] for e in treated}
    neighbours, partners = _neighbours(adjacent, treated), _partners(firms, treated)
    controls, spillover, left_out = [], {}, {}
    for entity in sorted(set(product) - set(treated)):
        if product[entity] not in made:
            left_out[entity] = OTHER_PRODUCT
        elif entity in neighbours:
            spillover[entity] = tuple(sorted(neighbours[entity]))
        elif entity in partners:
            left_out[entity] = SHARED_FIRM
        else:
            controls.append(entity)
    return Controls(treated=tuple(sorted(treated)), controls=tuple(controls), spillover=spillover, left_out=left_out)


def _check_columns(name: str, frame: pd.DataFrame | None, columns: tuple[str, ...]) -> None:
    lacking = [] if frame is None else [c for c in columns if c not in frame]
    if frame is None or not lacking:
        return
    raise UsageError(
        "QB561",
        option=name,
        found=", ".join(map(str, frame.columns)) or "no columns",
        expected=", ".join(columns),
        fix=f"{name}={name}.rename(columns={{…: {lacking[0]!r}}})",
    )


def _as_listed(
    entities: pd.DataFrame, treated: Collection[str], adjacent: pd.DataFrame | None, firms: pd.DataFrame | None
) -> tuple[list[str], pd.DataFrame | None, pd.DataFrame | None]:
    """Return what names entities with their ids as the list of entities writes them."""
    known = [str(e) for e in entities["entity"]]

    def settle(ids: Iterable[object]) -> list[str]:
        written = [str(e) for e in ids]
        spelling = match_spellings(written, known)
        return [spelling.get(e, e) for e in written]

    if adjacent is not None:
        adjacent = adjacent.assign(entity=settle(adjacent["entity"]), neighbour=settle(adjacent["neighbour"]))
    if firms is not None:
        firms = firms.assign(entity=settle(firms["entity"]))
    return settle(treated), adjacent, firms


def _products(entities: pd.DataFrame, treated: Collection[str]) -> dict[str, str]:
    names = [str(e) for e in entities["entity"]]
    product = dict(zip(names, map(str, entities["product"]), strict=True))
    lost = [e for e in treated if e not in product]
    if lost or len(product) < len(names):
        raise DataError(
            "QB562",
            found=f"no row for {', '.join(lost[:3])}" if lost else f"{len(names)} rows of {len(product)} entities",
            expected="one row for every entity, the treated among them",
            fix="entities.drop_duplicates('entity')   or correct the ids of the treated",
        )
    return product


def _neighbours(adjacent: pd.DataFrame | None, treated: Collection[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    if adjacent is None:
        return found
    for a, b in zip(adjacent["entity"].astype(str), adjacent["neighbour"].astype(str), strict=True):
        for near, other in ((a, b), (b, a)):
            if near in treated and other not in treated:
                found.setdefault(other, set()).add(near)
    return found


def _partners(firms: pd.DataFrame | None, treated: Collection[str]) -> set[str]:
    if firms is None:
        return set()
    entity = firms["entity"].astype(str)
    of_treated = set(firms.loc[entity.isin(list(treated)), "firm"])
    return set(entity[firms["firm"].isin(of_treated)])
