"""Standard output and error of a forked run: what Python writes, what programs write, each where it was written.

They follow ipykernel's streams: text belongs to the cell whose header the writing thread or task carries, and is sent
when something else is shown, when it is flushed, or when it has waited for 0.2 s. Unlike there, what a program has
written is read before anything is sent, so that it does not depend on the clock.
"""

from __future__ import annotations

import codecs
import contextvars
import io
import os
import select
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jupyter_client.session import extract_header

WAIT_SECONDS = 0.2
READ_BYTES = 65536

Send = Callable[[str, str, Mapping[str, Any]], None]


class Outlet:
    """Both streams of a process and the descriptors behind them.

    Parameters
    ----------
    send : callable
        Called with (name of the stream, text, header of the cell).
    """

    def __init__(self, send: Send) -> None:
        self.send, self.lock, self.pid = send, threading.RLock(), os.getpid()
        self.streams = {1: CellStream("stdout", self), 2: CellStream("stderr", self)}
        self.ends = {}
        for number, stream in self.streams.items():
            reading, writing = os.pipe()
            os.dup2(writing, number)
            os.close(writing)
            os.set_blocking(reading, False)
            decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
            self.ends[reading] = (stream, decoder)
        # a program that writes more than a pipe holds would wait for ever while its cell waits for it
        threading.Thread(target=self._watch, name="qbase-outlet", daemon=True).start()

    def drain(self) -> None:
        """Take what programs have written so far."""
        with self.lock:
            for reading, (stream, decoder) in self.ends.items():
                while True:
                    try:
                        data = os.read(reading, READ_BYTES)
                    except BlockingIOError:
                        break
                    if not data:
                        break
                    stream.keep(decoder.decode(data))

    def flush(self) -> None:
        """Send everything that waits, standard output first."""
        with self.lock:
            self.drain()
            for stream in self.streams.values():
                stream.send_kept()

    def send_old(self) -> None:
        """Send what has waited long enough, the oldest first."""
        due = time.monotonic() - WAIT_SECONDS
        for stream in sorted(self.streams.values(), key=lambda s: s.since):
            if stream.since <= due:
                stream.send_kept()

    def _watch(self) -> None:
        while True:
            select.select(list(self.ends), [], [])
            self.drain()
            # to give way to a thread that waits for the lock
            time.sleep(0.001)


class CellStream(io.TextIOBase):
    """One of the two streams, in the place of ``sys.stdout`` or ``sys.stderr``."""

    encoding = "UTF-8"
    topic = None

    def __init__(self, name: str, outlet: Outlet) -> None:
        self.name, self._outlet = name, outlet
        self._kept: dict[frozenset[tuple[str, Any]], list[str]] = {}
        self.since = float("inf")
        self._header: contextvars.ContextVar[Mapping[str, Any]] = contextvars.ContextVar("header")
        self._last: Mapping[str, Any] = {}

    @property
    def parent_header(self) -> Mapping[str, Any]:
        """Header of the cell that a thread or task belongs to; of the running cell where it belongs to none."""
        return self._header.get(self._last)

    def set_parent(self, parent: Mapping[str, Any]) -> None:
        """Make what follows belong to the cell of a request."""
        self._last = extract_header(dict(parent))
        self._header.set(self._last)

    def keep(self, text: str) -> None:
        """Put text aside for the cell it belongs to."""
        if text:
            self.since = min(self.since, time.monotonic())
            self._kept.setdefault(frozenset(self.parent_header.items()), []).append(text)

    def send_kept(self) -> None:
        """Send what was put aside."""
        kept, self._kept, self.since = self._kept, {}, float("inf")
        for header, parts in kept.items():
            self._outlet.send(self.name, "".join(parts), dict(header))

    def write(self, text: str) -> int:
        """Take text; a forked child of the run writes it to the descriptor, where its parent reads it.

        Raises
        ------
        TypeError
            It is no text.
        """
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text)}")
        if os.getpid() != self._outlet.pid:
            data = text.encode("utf-8", errors="replace")
            while data:
                data = data[os.write(self._number, data) :]
            return len(text)
        with self._outlet.lock:
            self._outlet.send_old()
            self._outlet.drain()
            self.keep(text)
        return len(text)

    def writelines(self, lines: Iterable[Any]) -> None:
        """Write lines one after the other."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Send what was written so far."""
        if os.getpid() == self._outlet.pid:
            with self._outlet.lock:
                self._outlet.drain()
                self.send_kept()

    def fileno(self) -> int:
        """Return the descriptor that programs write to."""
        return self._number

    def writable(self) -> bool:
        """Whether it can be written to: always."""
        return True

    def isatty(self) -> bool:
        """Whether a person watches: never."""
        return False

    @property
    def _number(self) -> int:
        return 1 if self.name == "stdout" else 2
