"""A seed that is fixed before the list of firms is closed, so that nobody can search for a draw that suits.

The office draws a secret and publishes its hash. Then the list is closed. The seed of the draw is the hash of both: who
knows the secret could not know the list, and who made the list could not know the secret. Later the secret is revealed
and anybody can repeat the draw.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import re
import secrets

import pandas as pd

from qbase.core.errors import DataError, UsageError

_HEX = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Commitment:
    """What is published before the list is closed.

    Parameters
    ----------
    digest : str
        SHA-256 of the secret, 64 hexadecimal digits.
    day : datetime.date
        On which it was published.

    Examples
    --------
    >>> import datetime
    >>> from qbase.planning import Commitment
    >>> Commitment(digest="a0353e72dc5c" + "0" * 52, day=datetime.date(2025, 11, 3)).day.isoformat()
    '2025-11-03'
    """

    digest: str
    day: datetime.date


def new_secret() -> str:
    """Return a secret of 256 random bits from the operating system, to be kept until the list is closed.

    Examples
    --------
    >>> from qbase.planning import new_secret
    >>> len(new_secret())
    64
    """
    return secrets.token_hex(32)


def build_commitment(secret: str, day: datetime.date) -> Commitment:
    """Return what to publish of a secret, and when.

    Raises
    ------
    UsageError
        The secret is not 64 hexadecimal digits (QB625): one that is guessed can be searched.

    Examples
    --------
    >>> import datetime
    >>> from qbase.planning import build_commitment
    >>> build_commitment("5d" * 32, datetime.date(2025, 11, 3)).digest[:12]
    'a0353e72dc5c'
    """
    return Commitment(digest=_hash(_read(secret)), day=day)


def build_seed(secret: str, commitment: Commitment, frame: pd.DataFrame, closed: datetime.date) -> str:
    """Return the seed of a draw: the hash of the revealed secret and of the closed list.

    Parameters
    ----------
    secret : str
        As `new_secret` gave it.
    commitment : Commitment
        As it was published.
    frame : pandas.DataFrame
        The closed list, columns firm_id, entity, stratum; its order does not matter.
    closed : datetime.date
        On which the list was closed.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    DataError
        The secret is not the one published, or it was published on the day the list was closed or later (QB626).

    Examples
    --------
    >>> import datetime, pandas as pd
    >>> from qbase.planning import build_commitment, build_seed
    >>> frame = pd.DataFrame({"firm_id": ["F1", "F2"], "entity": "K001", "stratum": "A-small"})
    >>> published = build_commitment("5d" * 32, datetime.date(2025, 11, 3))
    >>> build_seed("5d" * 32, published, frame, datetime.date(2025, 12, 1))[:12]
    '31902f63bcd1'
    """
    if _hash(_read(secret)) != commitment.digest:
        raise DataError(
            "QB626", found=f"hash {_hash(secret)[:12]}…", expected=f"{commitment.digest[:12]}… as published",
            fix="reveal the secret the commitment was made of",
        )  # fmt: skip
    if commitment.day >= closed:
        raise DataError(
            "QB626", found=f"published {commitment.day}, list closed {closed}", expected="published before the list is "
            "closed", fix="commit to a new secret, then close the list anew",
        )  # fmt: skip
    return _hash(f"{secret}|{list_digest(frame)}")


def list_digest(frame: pd.DataFrame) -> str:
    """Return the SHA-256 of a list of firms, whatever the order of its rows."""
    rows = sorted("\x1f".join(map(str, row)) for row in frame[["firm_id", "entity", "stratum"]].itertuples(index=False))
    return _hash("\x1e".join(rows))


def _read(secret: str) -> str:
    if not isinstance(secret, str) or not _HEX.fullmatch(secret):
        raise UsageError(
            "QB625", found=f"{len(str(secret))} characters", expected="64 hexadecimal digits", fix="new_secret()"
        )
    return secret


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
