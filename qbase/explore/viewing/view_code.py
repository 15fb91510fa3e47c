"""A view as the lines that repeat it outside the explorer."""

from __future__ import annotations

import json

from qbase.explore.viewing.view import View


def write_view_code(view: View) -> str:
    """Return the lines that reproduce a view: what is imported, then panel, result and figure.

    Parameters
    ----------
    view : View
        What is looked at.

    Returns
    -------
    str
        Python; the result is called ``result``.

    Examples
    --------
    >>> from qbase.explore import View, write_view_code
    >>> print(write_view_code(View(subject="K001", first="2022Q1", method="control")))
    import qbase as qb
    from qbase.trends import estimate_control
    <BLANKLINE>
    panel = qb.build_panel(qb.open_workspace(), "D1.batch", first="2022Q1")
    result = estimate_control(panel, "D1.batch", entity="K001")
    qb.plot(result)
    """
    way, outcome = view.way, _quoted(view.indicator)
    imports = ["import qbase as qb"]
    if way.takes_firms:
        imports.append("from qbase.indicators import read_firm_counts")
    if way.module != "qbase":
        imports.append(f"from {way.module} import {way.function}")
    words = "".join(f", {name}={_quoted(value)}" for name, value in view.window.items())
    opened, firms = f"panel = qb.build_panel(qb.open_workspace(), {outcome}{words})", ""
    if way.takes_firms:
        asked = json.dumps(view.window, ensure_ascii=False)
        read = f"read_firm_counts(workspace, {outcome}, **window)"
        opened = (
            f"workspace, window = qb.open_workspace(), {asked}\n"
            f"panel, firms = qb.build_panel(workspace, {outcome}, **window), {read}"
        )
        firms = ", firms=firms"
    subject = f", entity={_quoted(view.subject)}" if way.takes_subject and view.subject is not None else ""
    called = f"{'qb.' if way.module == 'qbase' else ''}{way.function}(panel, {outcome}{subject}{firms})"
    return "\n".join([*imports, "", opened, f"result = {called}", "qb.plot(result)", ""])


def _quoted(word: str) -> str:
    return json.dumps(word, ensure_ascii=False)
