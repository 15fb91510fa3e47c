"""Why a page is sent back before a person looks: the five reasons for which OpenSAFELY returns outputs.

Counts that are not rounded, missing context, counts that are not redacted, no data behind a figure, and a file that is
none of those allowed (OpenSAFELY, Output checking: what gets sent back). What is read is the page itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qbase.core.text import Text
from qbase.release import DisclosurePreset
from qbase.release.verifying.page_reading import Page, read_page
from qbase.release.verifying.shown_bundles import read_bundles, read_figure, read_table
from qbase.release.verifying.verification import verify_html

MOST_BYTES = 16 * 2**20
COUNTS = re.compile(r"(n|k)(_(?!firms).*)?")
FIRMS = re.compile(r"n_firms(_.*)?|.*__n_firms")
LABELS = re.compile(r"n|n \(.*\)|.* n|.*, k")
SAID = re.compile(r"\bn = ([\d,]+)")
FORM = ("one_file", "no_request", "no_script")


def find_reasons(
    source: str, record: Mapping[str, Any], rules: DisclosurePreset, contexts: Sequence[Mapping[str, Any]], *, name: str
) -> list[Text]:
    """Return why a page cannot be released, in words; empty where nothing was found.

    Parameters
    ----------
    source : str
        The page.
    record : mapping
        ``results.json`` of its run.
    rules : DisclosurePreset
        Of the office.
    contexts : sequence of mapping
        As `build_contexts` gives them.
    name : str
        Of the file.
    """
    page = read_page(source)
    return [
        *_check_file(source, record, name),
        *_check_counts(page, rules),
        *_check_control(record, rules),
        *_check_data(page),
        *_check_context(contexts),
    ]


def _check_file(source: str, record: Mapping[str, Any], name: str) -> Iterator[Text]:
    size = len(source.encode())
    if not name.endswith(".html") or size > MOST_BYTES:
        yield Text(f"文件类型：{name} 不是 16 MB 以内的 HTML", f"file type: {name} is no HTML file of up to 16 MB")
    for check in verify_html(source, record=record).checks:
        if check.passed is not True:
            kind = Text("文件类型", "file type") if check.name in FORM else Text("核验", "verification")
            yield Text(f"{kind.zh}：{check.text.zh}", f"{kind.en}: {check.text.en}")


def _check_counts(page: Page, rules: DisclosurePreset) -> Iterator[Text]:
    """Find counts that the rules do not show, wherever on the page they stand."""
    for where, kind, value in _list_counts(page):
        if kind == "firms":
            if value < rules.fewest_firms:
                yield Text(f"计数未隐去：{where} 有 {value} 家企业", f"unredacted count: {where} is of {value} firms")
        elif 0 < value < rules.fewest_counted:
            yield Text(f"计数未隐去：{where} 为 {value}", f"unredacted count: {where} is {value}")
        elif value % rules.round_to:
            base = rules.round_to
            yield Text(
                f"计数未取整：{where} 为 {value}，不是 {base} 的倍数",
                f"unrounded count: {where} is {value}, no multiple of {base}",
            )


def _list_counts(page: Page) -> Iterator[tuple[str, str, int]]:
    for root in read_bundles(page, "table"):
        table = read_table(root)
        for column, values in table["data"].items():
            kind = "firms" if FIRMS.fullmatch(column) else "count" if COUNTS.fullmatch(column) else ""
            if kind:
                yield from ((f"{table['name']} {column}", kind, int(v)) for v in values if isinstance(v, int | float))
        for at, column in enumerate(table["columns"]):
            if LABELS.fullmatch(column["label"]["en"]):
                shown = [cells[at]["en"].replace(",", "") for cells in table["rows"] if at < len(cells)]
                yield from ((f"{table['name']} {column['label']['en']}", "count", int(n)) for n in shown if n.isdigit())
    for found in SAID.findall(page.body.text()):
        yield f"n = {found}", "count", int(found.replace(",", ""))


def _check_control(record: Mapping[str, Any], rules: DisclosurePreset) -> Iterator[Text]:
    for result in record["results"]:
        control = result.get("control", "")
        if control != rules.edition:
            found = Text(control or "没有", control or "none")
            yield Text(
                f"计数未隐去：{result['name']} 没有按 {rules.edition} 处理（{found.zh}）",
                f"unredacted count: {result['name']} is not under {rules.edition} ({found.en})",
            )


def _check_data(page: Page) -> Iterator[Text]:
    for root in read_bundles(page, "figure"):
        figure = read_figure(page, root)
        table = figure["table"]
        if not table or not table["rows"] or not table["data"]:
            yield Text(f"没有数据：图 {figure['name']} 没有数据表", f"no underlying data: figure {figure['name']}")


def _check_context(contexts: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    for context in contexts:
        missing = [key for key in ("population", "filter", "n", "firms", "control") if not context.get(key)]
        if missing:
            told = ", ".join(missing)
            yield Text(f"没有说明：{context['name']} 缺 {told}", f"missing context: {context['name']} lacks {told}")
