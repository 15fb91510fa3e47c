"""What the word under the cursor may become, for a shell that asks: reports, indicators, parameters, subjects.

A shell that asks is told nothing rather than an error: what goes wrong here is told by the call itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import typer

Found = list[tuple[str, str]]


def find_reports(ctx: typer.Context, incomplete: str) -> Found:
    """Return reports of the workspace that begin so, each with its title.

    Parameters
    ----------
    ctx : typer.Context
        The call so far, with ``--home`` where it was given.
    incomplete : str
        What was typed of the word.
    """
    found: Found = []
    with contextlib.suppress(Exception):
        from qbase.lake.workspace import open_workspace
        from qbase.reports.asking.report_spec import read_spec

        workspace = open_workspace(ctx.params.get("home"))
        for path in sorted(workspace.specs.glob(f"{incomplete}*.toml")):
            spec = read_spec(workspace, path.stem)
            found.append((path.stem, f"{spec.title.zh} {spec.title.en}"))
    return found


def find_indicators(incomplete: str) -> Found:
    """Return indicators of the catalogue whose id begins so, each with its name.

    Parameters
    ----------
    incomplete : str
        What was typed of the word.
    """
    found: Found = []
    with contextlib.suppress(Exception):
        from qbase.indicators.catalogue.indicator_rows import read_catalogue

        found = [
            (i, f"{row.indicator.name.zh} {row.indicator.name.en}")
            for i, row in read_catalogue().items()
            if i.startswith(incomplete)
        ]
    return found


def find_values(ctx: typer.Context, incomplete: str) -> Found:
    """Return parameters of the report (``name=``) and, behind ``subject=``, those it may be asked of.

    Parameters
    ----------
    ctx : typer.Context
        The call so far; the first report among its words is asked.
    incomplete : str
        What was typed of the word.
    """
    found: Found = []
    with contextlib.suppress(Exception):
        found = list(_values(ctx, incomplete))
    return found


def _values(ctx: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    from qbase.lake.workspace import open_workspace
    from qbase.reports.asking.letter_parameters import read_parameters
    from qbase.reports.asking.report_spec import read_spec
    from qbase.reports.asking.subject_names import entity_of, list_subjects

    workspace = open_workspace(ctx.params.get("home"))
    spec = read_spec(workspace, next(word for word in ctx.args if (workspace.specs / f"{word}.toml").is_file()))
    parameters = read_parameters(workspace.root / spec.notebook, shown=spec.notebook)
    name, is_value, begun = incomplete.partition("=")
    if not is_value:
        yield from ((f"{p.name}=", p.help.zh) for p in parameters if p.name.startswith(name))
    elif name == "subject" and (entity := entity_of(parameters, spec.params)):
        for subject in list_subjects(workspace, entity):
            if subject.code.startswith(begun) or subject.name.zh.startswith(begun):
                yield f"subject={subject.code}", subject.name.zh
    else:
        chosen = next(p for p in parameters if p.name == name)
        yield from ((f"{name}={choice}", "") for choice in chosen.choices or () if str(choice).startswith(begun))
