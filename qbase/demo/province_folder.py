"""The whole province as a folder: clean tables, deliveries, truth, and a hash of the content."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from qbase.core.errors import UsageError
from qbase.core.whole_files import write_atomic
from qbase.demo.delivery_folder import write_messy
from qbase.demo.nation import write_nation
from qbase.demo.province import Province, build_province
from qbase.demo.sending.stable_files import content_hash, to_arrow, write_parquet
from qbase.demo.sending.tidy_files import write_tidy
from qbase.demo.world.scenario import SEED, Size


def write_all(folder: Path, *, size: Size = "small", seed: int = SEED) -> dict[str, str]:
    """Write tables, deliveries and truth below a folder that is empty or absent.

    Parameters
    ----------
    folder : Path
        ``tables/``, ``deliveries/tidy/``, ``deliveries/messy/``, ``truth/``, ``content.json``; for the
        nation ``tables/`` and ``content.json``.
    size : {"small", "province", "nation"}
        Which.
    seed : int
        Same seed, same bytes.

    Returns
    -------
    dict of str to str
        Logical content hash by table (by province for the nation).

    Raises
    ------
    UsageError
        The folder is not empty (QB373), or there is no such size (QB370).
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(
            "QB373",
            folder=folder.name,
            found=f"{len(list(folder.iterdir()))} entries",
            expected="an empty or a new folder",
            fix="choose another folder after --out",
        )
    hashes = _write_nation(folder, seed) if size == "nation" else _write_province(folder, build_province(size, seed))
    content = {"size": size, "seed": seed, "content": hashes}
    write_atomic(folder / "content.json", json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    return hashes


def _write_nation(folder: Path, seed: int) -> dict[str, str]:
    return {
        f"province {part:02d}, {rows} inspections": h for part, rows, h in write_nation(folder / "tables", seed=seed)
    }


def _write_province(folder: Path, province: Province) -> dict[str, str]:
    hashes = {}
    for name, frame in province.tables.items():
        table = to_arrow(frame)
        hashes[name] = content_hash(table)
        write_parquet(folder / "tables" / f"{name}.parquet", table)
    write_tidy(folder / "deliveries" / "tidy", province.tables)
    _, planted = write_messy(folder / "deliveries" / "messy", province)
    return hashes | write_truth(folder / "truth", province, planted.frame())


def write_truth(folder: Path, province: Province, planted: pd.DataFrame) -> dict[str, str]:
    """Write what is true, and what was planted in the messy deliveries; never into a workspace."""
    truth = province.truth
    frames = {
        "firm_quarter": truth.firm_quarter,
        "level": truth.level,
        "att": truth.att,
        "spillover": truth.spillover,
        "pseudo": truth.pseudo,
        "planted": planted,
    }
    hashes = {}
    for name, frame in frames.items():
        table = to_arrow(frame)
        hashes[f"truth/{name}"] = content_hash(table)
        write_parquet(folder / f"{name}.parquet", table)
    effects = json.loads(truth.att.to_json(orient="records"))
    write_atomic(folder / "att.json", json.dumps(effects, ensure_ascii=False, indent=1) + "\n")
    params = json.dumps(dict(truth.params), ensure_ascii=False, indent=1)
    write_atomic(folder / "params.json", params + "\n")
    return hashes
