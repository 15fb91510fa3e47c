from __future__ import annotations

import collections
import tomllib
from importlib import resources


def test_every_error_code_belongs_to_one_room() -> None:
    """Catalogues are merged by code: of two owners one would silently get the words of the other."""
    files = [file for file in resources.files("qbase.core.codes").iterdir() if file.name.endswith(".toml")]
    owners = collections.Counter(code for file in files for code in tomllib.loads(file.read_text("utf-8")))
    assert [code for code, count in owners.items() if count > 1] == []
