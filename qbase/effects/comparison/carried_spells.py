"""Treatment told of one level and followed at another: a cluster's spell carried to its town, or to its firms."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping

import pandas as pd

from qbase.core.errors import PolicyError
from qbase.core.given import match_spellings
from qbase.core.panel import Panel
from qbase.core.policy import Policy, Spell, match_policy
from qbase.core.text import Text

Links = Mapping[str, str | Iterable[str]]

CARRIED = {
    "town_code": Text("采用政策的集群所在的乡镇", "towns of the treated clusters"),
    "firm_id": Text("采用政策的集群中的企业", "firms of the treated clusters"),
    "cluster_id": Text("采用政策的乡镇中的集群", "clusters of the treated towns"),
}


def carry_spells(panel: Panel, policy: Policy, links: Links) -> Policy:
    """Carry a policy's spells to what a panel follows.

    With one treated cluster this makes its town, or its firms, the treated, so that they can be compared with other
    towns or their firms. It does not make one decision into many: inference stays at the level of the decision, by
    ``clusters=`` of `qbase.effects.comparison.outcome_grid.build_grid` or by permutation over towns.

    Parameters
    ----------
    panel : Panel
        What is followed.
    policy : Policy
        Spells of the entities that ``links`` start from; an entity of the panel itself stays as it is.
    links : mapping
        Entity -> its town, or its firms. It should list those not treated too: only so is a town seen that is
        treated in part.

    Returns
    -------
    Policy
        Each target once, from the first start of those it belongs to; targets that the panel does not hold are left
        out. ``treated`` says that it was carried, groups go along, doses stay behind: what a cluster was given is not
        the amount of each of its firms.

    Raises
    ------
    PolicyError
        A treated entity has no link into the panel, or a target is treated in part (QB586).

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.core import Indicator, Panel, Policy, Spell, Text
    >>> from qbase.effects import carry_spells
    >>> rate = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="index", better="up")
    >>> rows = [(f"T{t}", year, 90.0 + t + year % 7) for t in (1, 2, 3) for year in range(2018, 2024)]
    >>> frame = pd.DataFrame(rows, columns=["town_code", "year", "rate"])
    >>> panel = Panel.from_frame(frame, entity="town_code", period="year", freq="A", indicators={"rate": rate})
    >>> spell = Spell(entity="K7", start="2021")
    >>> policy = Policy(policy_id="pilot", title=Text("试点", "Pilot"), spells=(spell,))
    >>> carried = carry_spells(panel, policy, {"K7": "T2", "K8": "T3"})
    >>> {entity: str(start) for entity, start in carried.first_treated.items()}, carried.treated.en
    ({'T2': '2021'}, 'towns of the treated clusters')
    """
    known = set(panel.entities)
    policy = match_policy(policy, known)
    first = policy.first_treated
    spelling = match_spellings(map(str, links), first)
    targets = {spelling.get(str(entity), str(entity)): _listed(linked) for entity, linked in links.items()}
    carried: dict[tuple[str, pd.Period], Spell] = {}
    for spell in policy.spells:
        for target in _targets(spell.entity, targets, known, policy):
            carried[(target, spell.start)] = dataclasses.replace(spell, entity=target)
    _refuse_parts(targets, set(first), {target for target, _ in carried}, policy)
    group = {t: policy.group[e] for e in policy.group for t in targets.get(e, [e]) if t in known}
    return dataclasses.replace(
        policy,
        spells=_merged(list(carried.values())),
        group=group,
        doses=None,
        treated=CARRIED.get(panel.entity, Text("由政策对象推及的主体", "those the policy was carried to")),
    )


def _listed(linked: str | Iterable[str]) -> list[str]:
    return [linked] if isinstance(linked, str) else [str(target) for target in linked]


def _targets(entity: str, targets: Mapping[str, list[str]], known: set[str], policy: Policy) -> list[str]:
    if entity not in targets and entity in known:
        return [entity]
    found = [target for target in targets.get(entity, []) if target in known]
    if found:
        return found
    held = ", ".join(targets.get(entity, [])[:3])
    raise PolicyError(
        "QB586",
        policy=policy.policy_id,
        entity=entity,
        found=f"{held} not in the panel" if held else f"no link from {entity}",
        expected="a link to at least one entity of the panel, such as " + ", ".join(sorted(known)[:3]),
        fix=f'links={{"{entity}": "{min(known)}"}}',
    )


def _refuse_parts(targets: Mapping[str, list[str]], treated: set[str], carried: set[str], policy: Policy) -> None:
    for entity, linked in targets.items():
        shared = [target for target in linked if target in carried]
        if entity not in treated and shared:
            raise PolicyError(
                "QB586",
                policy=policy.policy_id,
                entity=next(e for e in targets if e in treated and shared[0] in targets[e]),
                found=f"{shared[0]} also belongs to {entity}, which is not treated",
                expected="targets that are treated as a whole",
                fix="a panel of what the policy names, or links to targets that belong to one entity",
            )


def _merged(spells: list[Spell]) -> tuple[Spell, ...]:
    """Return the spells of each target: as they are when one entity sends them, else one open from the first start."""
    merged: list[Spell] = []
    for target in dict.fromkeys(spell.entity for spell in spells):
        own = sorted((s for s in spells if s.entity == target), key=lambda s: s.start)
        overlaps = any(a.end is None or a.end >= b.start for a, b in itertools.pairwise(own))
        if overlaps:
            ends = [s.end for s in own]
            last = None if None in ends else max(e for e in ends if e is not None)
            own = [Spell(entity=target, start=own[0].start, end=last)]
        merged += own
    return tuple(merged)
