"""Model files that served before, kept beside the present ones so that going back needs nobody's help."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .assets import ARRAYS_FILE, METADATA_FILE, MODEL_FILE
from .errors import ModelMissingError
from .forest import Forest
from .packaging import write_all
from .pickles import sha256_of

FOLDER = "former"
KEEP = 5
# What an interrupted return was about: without it, running the same command again would go back one model further.
INTENT_FILE = "going-back.json"


def folder_of(assets_dir: Path, fingerprint: str) -> Path:
    """Where the files of that model are kept. By fingerprint: one file with two sets of codes is two models."""
    return assets_dir / FOLDER / fingerprint[:12]


def keep(assets_dir: Path, forest: Forest) -> None:
    """Copy the files of this forest, which are in place, to where they can be found again."""
    places = (assets_dir / name for name in (MODEL_FILE, ARRAYS_FILE, METADATA_FILE))
    files = {path.name: path.read_bytes() for path in places if path.exists()}
    if sha256_of(files.get(MODEL_FILE, b"")) != forest.sha256:
        return  # somebody has replaced them since the forest was loaded
    folder = folder_of(assets_dir, forest.fingerprint)
    write_all(folder, files)
    os.utime(folder)  # kept last, even if all of it was there


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
    return (folder_of(assets_dir, fingerprint) / MODEL_FILE).exists()


def prune(assets_dir: Path) -> None:
    """Remove all but the models that were kept last."""
    folders = [path for path in (assets_dir / FOLDER).glob("*") if path.is_dir()]
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
