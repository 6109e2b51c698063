"""Accept a model file: verify it fully, then put it and what vouches for it in place, atomically."""

import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from customers.ml_service.card import card_files, remove_other_pictures
from customers.ml_service.errors import ModelVersionError
from customers.ml_service.forest.columns import names_of
from customers.ml_service.forest.compiled import FlatForest, build, score_matrix
from customers.ml_service.forest.encoding import Encodings, encode_rows
from customers.ml_service.forest.forest import Forest
from customers.ml_service.forest.parts import parts_of
from customers.ml_service.schema import FEATURES

from . import golden, sanity, thresholds
from .assets import ARRAYS_FILE, METADATA_FILE, MODEL_FILE, TRUSTED, encodings_from, metadata_for, warn_of_assumed_codes
from .original import Original
from .pickles import load_estimator, read_expected, sha256_of
from .thresholds import Column

_PARITY = 1e-12


@dataclass(frozen=True, eq=False)
class Package:
    """A verified model: ready to score with, and with the files of `ml_assets/`, which `install` writes."""

    forest: Forest
    files: Mapping[str, bytes]
    sanity: sanity.ScoreRange
    fitted_on: tuple[str, ...] = ()
    vouched_by: str = "no model.json was looked for"

    @property
    def source(self) -> bytes:
        """The model.pkl."""
        return self.files[MODEL_FILE]

    def install(self, assets_dir: str | Path) -> dict[str, Any]:
        """Write card, flat arrays, model.pkl and model.json, each atomically. Returns the model.json's content.

        Raises OSError when `assets_dir` cannot be written, and then nothing was changed.
        """
        write_all(Path(assets_dir), self.files)
        remove_other_pictures(Path(assets_dir), self.files)
        return dict(self.forest.metadata)

    def findings(self) -> list[str]:
        """What was verified, for a person to read; anything wrong has raised an error instead."""
        return [
            f"checksum: sha256 {self.forest.sha256}; {self.vouched_by}",
            *self.fitted_on,
            f"label codes: {self.forest.encodings}",
            f"version: {_describe_versions(str(self.forest.metadata['sklearn_version']))}",
            f"sanity: {self.sanity}",
        ]


def verify(
    path: str | Path,
    *,
    note: str = "",
    remembered: Mapping[str, Any] | None = None,
    expected_sha256: str = "",
    trusted: str = "",
) -> Package:
    """Verify the model file in `path`; nothing is written.

    Encodings, metrics and golden rows of a model.json beside `path` are kept when it names this file's SHA-256;
    else those `remembered` of it from a former release; else the labels are taken as alphabetical. **Unpickles the
    file**: the user who releases it vouches for its source. An `expected_sha256`, or its first 16 digits or more, is
    compared before that. `trusted` is the reason why its columns are right although its thresholds look wrong.
    Raises one of the ModelError family.
    """
    source = Path(path)
    data = read_expected(source, expected_sha256)
    stored = metadata_for(sha256_of(data), source.with_name(METADATA_FILE))
    metadata = stored or dict(remembered or {})
    encodings = encodings_from(metadata, source)
    complete = {**metadata, **({TRUSTED: trusted} if trusted else {}), "note": note or metadata.get("note", "")}
    package = package_model(data, encodings, complete)
    warn_of_assumed_codes(metadata, source)
    return replace(package, vouched_by=_vouched_by(source.with_name(METADATA_FILE), stored, remembered))


def package_model(data: bytes, encodings: Encodings, metadata: Mapping[str, Any]) -> Package:
    """Verify the pickle `data` and make the files that a release consists of. Raises as `verify`."""
    model = load_estimator(data)
    flat = build(model)
    columns = thresholds.columns(flat, encodings)
    if not metadata.get(TRUSTED):
        thresholds.refuse([column for column in columns if column.is_doubtful], columns)
    encodings = replace(encodings, roundings=flat.roundings)
    golden.check(flat, encodings, metadata)
    _check_parity(model, flat, encodings)
    figures = sanity.check(flat, encodings, metadata)
    arrays = npz(flat)
    complete = {
        **metadata,
        # Of the file itself, whatever the metadata say.
        "format": 1,
        "features": list(FEATURES),
        "sklearn_version": str(model.__sklearn_version__),
        "n_trees": flat.n_trees,
        "n_nodes": len(flat.nodes),
        "sha256": sha256_of(data),
        "released_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "encodings": encodings.as_metadata(),
        "arrays": {"file": ARRAYS_FILE, "sha256": sha256_of(arrays), "source_sha256": sha256_of(data)},
        "golden": metadata.get("golden") or golden.record(flat, encodings),
    }
    as_json = json.dumps(complete, indent=2, ensure_ascii=False) + "\n"
    files = {**card_files(complete), ARRAYS_FILE: arrays, MODEL_FILE: data, METADATA_FILE: as_json.encode()}
    forest = Forest(flat, sha256_of(data), encodings, released=True, metadata=complete, unpickled=True)
    return Package(
        forest,
        files,
        figures,
        fitted_on=(_describe_class(model, flat), _describe_columns(model), _describe_thresholds(columns, metadata)),
    )


def _vouched_by(path: Path, stored: Mapping[str, Any], remembered: Mapping[str, Any] | None) -> str:
    if stored:
        return "the model.json beside it names this one"
    beside = "the model.json beside it is another file's" if path.exists() else "there is no model.json beside it"
    return f"{beside}; label codes are {'those it served with before' if remembered else 'taken as alphabetical'}"


def _describe_class(model: Any, flat: FlatForest) -> str:
    steps, forest = parts_of(model)
    found = f"class: RandomForestClassifier of {flat.n_trees:,} trees, {len(flat.nodes):,} nodes"
    folded = (
        f"; {' and '.join(type(step).__name__ for step in steps)} before it folded into its thresholds" if steps else ""
    )
    return found if model is forest else f"{found}, in a {type(model).__name__}{folded}"


def _describe_columns(model: Any) -> str:
    names = names_of(model)
    return f"columns: by name, {', '.join(names)}" if names else f"columns: assumed by order, {', '.join(FEATURES)}"


def _describe_thresholds(columns: Sequence[Column], metadata: Mapping[str, Any]) -> str:
    doubtful = "; ".join(str(column) for column in columns if column.is_doubtful)
    if doubtful:
        return f"thresholds: trusted although {doubtful}. Reason: {metadata[TRUSTED]}"
    partly = [str(column) for column in columns if column.dividing < len(column.thresholds)]
    unused = [name for name in FEATURES if name not in {column.name for column in columns}]
    never = f"; never split at: {', '.join(unused)}" if unused else ""
    look = f"; look at {'; '.join(partly)}" if partly else ""
    return f"thresholds: {', '.join(f'{column.name} {column.span}' for column in columns)}{never}{look}"


def _describe_versions(written_by: str) -> str:
    import sklearn  # late: only a release needs it

    if written_by == sklearn.__version__:
        return f"written by scikit-learn {written_by}, which is installed"
    return f"written by scikit-learn {written_by}; {sklearn.__version__} is installed, reads it, and gives these scores"


def _check_parity(model: Any, flat: FlatForest, encodings: Encodings) -> None:
    """Compare with scikit-learn itself on generated rows: the compiled forest must be the same forest."""
    rows = golden.generate_rows(200, encodings=encodings)
    theirs = Original(model, encodings).predict_tuples(rows)
    furthest = float(np.abs(theirs - score_matrix(flat, encode_rows(rows, encodings))).max())
    if not furthest <= _PARITY:
        raise ModelVersionError(
            f"the compiled forest and the installed scikit-learn differ by {furthest:.3g}; "
            "dump the model again with the scikit-learn of requirements.txt"
        )


def npz(flat: FlatForest) -> bytes:
    """The arrays of a forest as one file, which is read without pickle."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **flat.as_arrays())
    return buffer.getvalue()


def write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write every file beside its place first, then move them there in this order: what vouches for others is last."""
    temporary = {name: (folder / name).with_name(f".{Path(name).name}.{os.getpid()}.tmp") for name in files}
    for path in temporary.values():
        _make_folder(path.parent)
    try:
        for name, data in files.items():
            _write_durably(temporary[name], data)
        for name in files:
            temporary[name].replace(folder / name)
        _sync_folder(folder)
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _give_to_owner_of_folder(folder)


def _give_to_owner_of_folder(path: Path) -> None:
    """What root writes belongs to the owner of the folder, who has to read it, and to replace it one day."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    _give_to_owner_of_folder(path)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
