"""Storey 0: the values everybody speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.core.coverage import Coverage as Coverage
    from qbase.core.coverage import Withheld as Withheld
    from qbase.core.errors import DataError as DataError
    from qbase.core.errors import PanelError as PanelError
    from qbase.core.errors import PolicyError as PolicyError
    from qbase.core.errors import QbaseError as QbaseError
    from qbase.core.errors import RunError as RunError
    from qbase.core.errors import SetupError as SetupError
    from qbase.core.errors import UsageError as UsageError
    from qbase.core.panel import Panel as Panel
    from qbase.core.policy import DatedEvent as DatedEvent
    from qbase.core.policy import Plan as Plan
    from qbase.core.policy import Policy as Policy
    from qbase.core.policy import PolicyDate as PolicyDate
    from qbase.core.policy import Spell as Spell
    from qbase.core.policy import match_policy as match_policy
    from qbase.core.results.compared_editions import compare_last as compare_last
    from qbase.core.results.conclusion import Conclusion as Conclusion
    from qbase.core.results.conclusion import conclude as conclude
    from qbase.core.results.decision import Decision as Decision
    from qbase.core.results.records import record as record
    from qbase.core.results.result import Criterion as Criterion
    from qbase.core.results.result import OpenGate as OpenGate
    from qbase.core.results.result import Result as Result
    from qbase.core.results.result import Scorecard as Scorecard
    from qbase.core.results.result import add_checks as add_checks
    from qbase.core.results.retold import LastResults as LastResults
    from qbase.core.results.retold import Retold as Retold
    from qbase.core.results.run_values import Limits as Limits
    from qbase.core.results.run_values import ReportSpec as ReportSpec
    from qbase.core.results.run_values import RunRecord as RunRecord
    from qbase.core.results.sentences import say_each as say_each
    from qbase.core.shown.display import MIME as MIME
    from qbase.core.shown.display import Column as Column
    from qbase.core.shown.display import Figure as Figure
    from qbase.core.shown.display import Prose as Prose
    from qbase.core.shown.display import Provenance as Provenance
    from qbase.core.shown.display import Table as Table
    from qbase.core.shown.display import Tile as Tile
    from qbase.core.shown.display import Tiles as Tiles
    from qbase.core.text import Text as Text
    from qbase.core.values import CheckResult as CheckResult
    from qbase.core.values import Estimate as Estimate
    from qbase.core.values import Indicator as Indicator
    from qbase.core.values import Margin as Margin
    from qbase.core.values import Source as Source

__getattr__, __dir__ = lazy_room(__name__)
