"""Several machines: a client of a Dask scheduler, when the extra is installed."""

from __future__ import annotations

import dataclasses
from typing import Any

from qbase.core.errors import SetupError

TIMEOUT = "10s"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cluster:
    """A running Dask cluster, and where its workers find the lake.

    Parameters
    ----------
    address : str
        Of the scheduler, ``tcp://host:8786``.
    storage : str
        Address of ``data/lake`` as the workers see it: a folder or any address `fsspec` opens (``s3://…``); empty
        where it has the same path on every machine.

    Examples
    --------
    >>> from qbase.compute import Cluster
    >>> Cluster(address="tcp://10.0.0.5:8786", storage="s3://quality/lake")
    Cluster(address='tcp://10.0.0.5:8786', storage='s3://quality/lake')
    """

    address: str
    storage: str = ""


def open_client(address: str) -> Any:
    """Connect to a Dask scheduler.

    Parameters
    ----------
    address : str
        ``tcp://host:8786``.

    Returns
    -------
    distributed.Client
        To be closed by the caller (it is a context manager).

    Raises
    ------
    SetupError
        Dask is not installed (QB181), or the scheduler does not answer (QB182).

    Examples
    --------
    >>> from qbase.compute import open_client
    >>> open_client("tcp://nowhere")
    Traceback (most recent call last):
        ...
    qbase.core.errors.SetupError: error[QB182] the Dask scheduler at tcp://nowhere does not answer
      found     missing port number in address 'nowhere'
      expected  a running scheduler, for example tcp://127.0.0.1:8786
      to fix    start one with: dask scheduler
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise SetupError(
            "QB181", found="no package distributed", expected="the extra cluster", fix="pip install qbase[cluster]"
        ) from error
    try:
        return Client(address, timeout=TIMEOUT)
    except (OSError, ValueError) as error:
        raise SetupError(
            "QB182",
            address=address,
            found=str(error) or type(error).__name__,
            expected="a running scheduler, for example tcp://127.0.0.1:8786",
            fix="start one with: dask scheduler",
        ) from error
