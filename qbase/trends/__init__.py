"""Storey 5: from a panel to a result, without a policy: levels and changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.trends.matched_entities import compare_entities as compare_entities
    from qbase.trends.rate_change import estimate_change as estimate_change
    from qbase.trends.rate_change import estimate_matched_change as estimate_matched_change
    from qbase.trends.rate_level import estimate_level as estimate_level
    from qbase.trends.watching.alarm_families import Family as Family
    from qbase.trends.watching.alarm_families import estimate_every_change as estimate_every_change
    from qbase.trends.watching.alarm_families import judge_family as judge_family
    from qbase.trends.watching.credit_grades import estimate_grades as estimate_grades
    from qbase.trends.watching.integrity_page import check_integrity as check_integrity
    from qbase.trends.watching.repeated_looks import estimate_looks as estimate_looks
    from qbase.trends.watching.visit_list import estimate_watchlist as estimate_watchlist
    from qbase.trends.watching.watch_tables import WatchTables as WatchTables
    from qbase.trends.watching.watch_tables import read_watch_tables as read_watch_tables

__getattr__, __dir__ = lazy_room(__name__)
