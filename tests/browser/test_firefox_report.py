"""The same page in the other family of browsers: no sideways scroll, the switches without script, the printed brief.

Firefox is driven through Marionette, its own protocol: JSON with its length before it, over a socket of this machine.
"""

from __future__ import annotations

import base64
import itertools
import json
import pathlib
import re
import socket
import subprocess
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from qbase.reports.rendering.page_rendering import render_report
from tests.browser.render_case import make_case

pytestmark = pytest.mark.browser

A4_CM = {"width": 21.0, "height": 29.7}
PREFERENCES = 'user_pref("marionette.port", {port});\nuser_pref("javascript.enabled", false);\n'
START_S = 120


class Firefox:
    """A headless Firefox; commands are those of WebDriver."""

    def __init__(self, program: str, folder: pathlib.Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        (folder / "user.js").write_text(PREFERENCES.format(port=port), encoding="utf-8")
        words = [program, "--headless", "--marionette", "--no-remote", "--profile", str(folder)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(words, **quiet)
        self.numbers = itertools.count()
        self.stream = self._connect(port)
        self._read()
        self.ask("WebDriver:NewSession")

    def _connect(self, port: int) -> Any:
        end = time.monotonic() + START_S
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=START_S) as opened:
                    return opened.makefile("rwb")
            except ConnectionRefusedError:
                assert time.monotonic() < end, "Firefox did not open its port"
                time.sleep(0.1)

    def ask(self, command: str, **given: Any) -> Any:
        said = json.dumps([0, next(self.numbers), command, given])
        self.stream.write(f"{len(said)}:{said}".encode())
        self.stream.flush()
        _, _, error, value = self._read()
        assert error is None, error
        return value["value"] if isinstance(value, dict) and value.keys() == {"value"} else value

    def close(self) -> None:
        self.stream.close()
        self.process.kill()
        self.process.wait()

    def _read(self) -> Any:
        size = b""
        while (digit := self.stream.read(1)) != b":":
            size += digit
        return json.loads(self.stream.read(int(size)))

    def run(self, script: str) -> Any:
        return self.ask("WebDriver:ExecuteScript", script=script, args=[])

    def click(self, selector: str) -> None:
        found = self.ask("WebDriver:FindElement", using="css selector", value=selector)
        self.ask("WebDriver:ElementClick", id=next(iter(found.values())))


@pytest.fixture(scope="module")
def firefox(firefox_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    opened = Firefox(firefox_program, tmp_path_factory.mktemp("profile"))
    opened.ask("WebDriver:Navigate", url=write_report(tmp_path_factory.mktemp("site")).as_uri())
    yield opened
    opened.close()


def write_report(folder: pathlib.Path) -> pathlib.Path:
    case = make_case()
    page = folder / "trends.html"
    page.write_text(render_report(case.notebook, spec=case.spec, run=case.run, results=case.record), encoding="utf-8")
    return page


def test_a_narrow_window_never_scrolls_sideways(firefox: Firefox) -> None:
    # no window of Firefox is narrower than 450 pixels, headless neither
    firefox.ask("WebDriver:SetWindowRect", width=450, height=900)
    wide, inner = firefox.run("return [document.documentElement.scrollWidth, innerWidth]")
    assert wide <= inner <= 500


def test_the_switch_leaves_one_language_without_script(firefox: Firefox) -> None:
    shown = "return ['zh', 'en'].map(c => getComputedStyle(document.querySelector('h1 .' + c)).display !== 'none')"
    assert firefox.run(shown) == [True, False]
    firefox.click("label[for=L-en]")
    assert firefox.run(shown) == [False, True]
    firefox.click("label[for=L-zh]")


def count_sheets(pdf: bytes) -> int:
    """Count the pages of a PDF, which stand in packed streams."""
    packed = re.findall(rb"/ObjStm.*?stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    return sum(len(re.findall(rb"/Type\s*/Page\b", zlib.decompressobj().decompress(part))) for part in packed)


def test_it_prints_on_a_few_sheets(firefox: Firefox) -> None:
    pdf = base64.b64decode(firefox.ask("WebDriver:Print", page=A4_CM, background=True))
    assert 2 <= count_sheets(pdf) <= 6
