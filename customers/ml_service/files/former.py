"""Model files kept beside the ones in place: of the models that served before, and of the one that serves now.

Going back needs no other source for them, and an upgrade that overwrites the files in place takes nothing away.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from customers.ml_service.errors import ModelCorruptError, ModelError, ModelMissingError
from customers.ml_service.forest.forest import Forest

from .assets import ARRAYS_FILE, METADATA_FILE, MODEL_FILE, metadata_for, read_model_file, stored_arrays
from .packaging import Package, write_all
from .pickles import sha256_of
from .registry import forest_in

FOLDER = "former"
KEEP = 5
# What an interrupted return was about: without it, running the same command again would go back one model further.
INTENT_FILE = "going-back.json"


def folder_of(assets_dir: Path, fingerprint: str) -> Path:
    """Where the files of that model are kept. By fingerprint: one file with two sets of codes is two models."""
    return assets_dir / FOLDER / fingerprint[:12]


def keep_forest(assets_dir: Path, forest: Forest) -> None:
    """Copy the files of this forest, which are in place, to where they can be found again."""
    # A model.json or arrays beside a file that was only copied there belong to another model.
    names = [ARRAYS_FILE, MODEL_FILE, METADATA_FILE] if forest.released else [MODEL_FILE]
    if forest.unpickled and forest.released and not _has_arrays_of(forest, assets_dir):
        names.remove(ARRAYS_FILE)
    files = {name: (assets_dir / name).read_bytes() for name in names if (assets_dir / name).exists()}
    is_described = not forest.released or metadata_for(forest.sha256, assets_dir / METADATA_FILE)
    if sha256_of(files.get(MODEL_FILE, b"")) != forest.sha256 or not is_described:
        return  # replaced since the forest was loaded
    _write_what_differs(folder_of(assets_dir, forest.fingerprint), files)


def _has_arrays_of(forest: Forest, assets_dir: Path) -> bool:
    """Whether the arrays in place are right, where the forest was built without them."""
    try:
        arrays = stored_arrays(read_model_file(assets_dir / MODEL_FILE))
    except ModelError:
        return False  # replaced since the forest was loaded
    return arrays is not None and arrays.contents == forest.flat.contents


def keep_package(assets_dir: Path, package: Package) -> None:
    """As `keep_forest`, of a model before it is put in place."""
    files = {name: package.files[name] for name in (ARRAYS_FILE, MODEL_FILE, METADATA_FILE)}
    _write_what_differs(folder_of(assets_dir, package.forest.fingerprint), files)


def _write_what_differs(folder: Path, files: Mapping[str, bytes]) -> None:
    there = {name: (folder / name).read_bytes() for name in files if (folder / name).exists()}
    if there != files:
        write_all(folder, {name: data for name, data in files.items() if there.get(name) != data})
    os.utime(folder)  # kept last, even if all of it was there


def kept_forest(assets_dir: Path, fingerprint: str) -> Forest:
    """The forest of the kept files, under the same rules as the one in place; ModelError when there is none."""
    forest = forest_in(folder_of(assets_dir, fingerprint))
    if forest.fingerprint != fingerprint:
        raise ModelCorruptError(f"{folder_of(assets_dir, fingerprint)} holds another model than its name says")
    return forest


def find(assets_dir: Path, fingerprint: str, sha256: str) -> Path:
    """The kept model.pkl; ModelMissingError says which file has to be put where."""
    path = folder_of(assets_dir, fingerprint) / MODEL_FILE
    if path.exists():
        return path
    raise ModelMissingError(
        f"that model is not kept on this machine: put its model.pkl (sha256 {sha256[:12]}…), with its model.json if "
        f"there is one, into {path.parent} and run the same command again"
    )


def is_kept(assets_dir: Path, fingerprint: str) -> bool:
    """Whether the files of that model lie there, and not others in their place. Nothing is unpickled."""
    try:
        return read_model_file(folder_of(assets_dir, fingerprint) / MODEL_FILE).fingerprint == fingerprint
    except ModelError:
        return False


def remove_oldest(assets_dir: Path, active: str) -> None:
    """Remove all but the models that were kept last, and the one of the `active` fingerprint."""
    stays = folder_of(assets_dir, active)
    folders = [path for path in (assets_dir / FOLDER).glob("*") if path.is_dir() and path != stays]
    for folder in sorted(folders, key=lambda path: path.stat().st_mtime_ns, reverse=True)[KEEP:]:
        shutil.rmtree(folder)


def write_intent(assets_dir: Path, intent: Mapping[str, int]) -> None:
    write_all(assets_dir / FOLDER, {INTENT_FILE: json.dumps(intent).encode()})


def read_intent(assets_dir: Path) -> Mapping[str, Any]:
    """What a return that did not end was about; empty when there is none."""
    try:
        intent = json.loads((assets_dir / FOLDER / INTENT_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return intent if isinstance(intent, dict) else {}


def forget_intent(assets_dir: Path) -> None:
    (assets_dir / FOLDER / INTENT_FILE).unlink(missing_ok=True)
