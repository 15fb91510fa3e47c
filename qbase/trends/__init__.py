"""Storey 5: from a panel to a result, without a policy: levels, changes, trends and signals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.trends.counts.matched_entities import compare_entities as compare_entities
    from qbase.trends.counts.period_windows import merge_periods as merge_periods
    from qbase.trends.deciding.quarter_decision import decide_quarter as decide_quarter
    from qbase.trends.mix.kept_laboratories import read_laboratories as read_laboratories
    from qbase.trends.mix.laboratory_effects import estimate_laboratories as estimate_laboratories
    from qbase.trends.mix.mix_decomposition import decompose_mix as decompose_mix
    from qbase.trends.peers.entity_ranks import rank_entities as rank_entities
    from qbase.trends.peers.peer_funnel import compare_peers as compare_peers
    from qbase.trends.peers.peer_gap import estimate_gap as estimate_gap
    from qbase.trends.rates.change_verdicts import judge_change as judge_change
    from qbase.trends.rates.change_verdicts import list_margins as list_margins
    from qbase.trends.rates.change_verdicts import match_margin as match_margin
    from qbase.trends.rates.change_verdicts import read_margin as read_margin
    from qbase.trends.rates.followup_levels import estimate_followup as estimate_followup
    from qbase.trends.rates.rate_change import estimate_change as estimate_change
    from qbase.trends.rates.rate_change import estimate_matched_change as estimate_matched_change
    from qbase.trends.rates.rate_level import estimate_level as estimate_level
    from qbase.trends.rates.rate_trend import estimate_trend as estimate_trend
    from qbase.trends.signals.control_signals import estimate_control as estimate_control
    from qbase.trends.signals.rate_breaks import estimate_breaks as estimate_breaks
    from qbase.trends.signals.rate_joinpoints import estimate_joinpoints as estimate_joinpoints
    from qbase.trends.signals.standard_change import estimate_standard_change as estimate_standard_change
    from qbase.trends.watching.alarm_families import Family as Family
    from qbase.trends.watching.alarm_families import estimate_every_change as estimate_every_change
    from qbase.trends.watching.alarm_families import judge_family as judge_family
    from qbase.trends.watching.credit_grades import estimate_grades as estimate_grades
    from qbase.trends.watching.failures_elsewhere import find_elsewhere as find_elsewhere
    from qbase.trends.watching.integrity_page import check_integrity as check_integrity
    from qbase.trends.watching.integrity_page import read_integrity as read_integrity
    from qbase.trends.watching.repeated_looks import estimate_looks as estimate_looks
    from qbase.trends.watching.visit_list import estimate_watchlist as estimate_watchlist
    from qbase.trends.watching.visit_list import read_watchlist as read_watchlist
    from qbase.trends.watching.watch_tables import WatchTables as WatchTables
    from qbase.trends.watching.watch_tables import read_watch_tables as read_watch_tables

__getattr__, __dir__ = lazy_room(__name__)
