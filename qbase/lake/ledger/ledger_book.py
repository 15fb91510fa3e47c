"""What a ledger does, whichever keeps it: the file of a workspace, or a server that several machines share."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import sqlalchemy as sa

Lock = Literal["lake", "diary"]
"""What one writer at a time works on: the tables, or the diary of links."""


class Glance(Protocol):
    """Something that answers plain SQL inside one transaction."""

    def execute(self, query: str, values: Mapping[str, Any] = ..., /) -> Any:
        """Return rows; ``:name`` in the query stands for a value."""


class Held(Protocol):
    """A lock that is held, and what may be done under it."""

    def confirm(self) -> None:
        """Raise when the lock was lost (QB206) or the ledger cannot be reached (QB224)."""

    def writing(self) -> AbstractContextManager[sa.Connection]:
        """Give what `Book.writing` gives; its transaction is committed only while the lock is held."""


class Book(Protocol):
    """The ledger of a workspace."""

    @property
    def name(self) -> str:
        """What to call it in an error; no password is in it."""

    @property
    def is_writable(self) -> bool:
        """Whether it can be written."""

    def glancing(self) -> AbstractContextManager[Glance | None]:
        """Give one consistent view, asked in plain SQL, or None while there is no ledger."""

    def reading(self) -> AbstractContextManager[sa.Connection | None]:
        """Give one consistent view, or None while there is no ledger."""

    def writing(self) -> AbstractContextManager[sa.Connection]:
        """Give a transaction that nobody else writes beside, committed at the end of the block."""

    def read_clock(self, connection: Glance | sa.Connection) -> float:
        """Return the seconds since 1970 by the one clock of all who share the ledger."""

    def holding(self, what: Lock = "lake") -> AbstractContextManager[Held]:
        """Keep other writers of the lake, or of the diary of links, out while the block runs."""
