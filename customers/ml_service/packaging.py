"""Accept a model file: verify it fully, then put it and what vouches for it in place, atomically."""

import io
import json
import os
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import golden
from .assets import ARRAYS_FILE, METADATA_FILE, MODEL_FILE, encodings_from, metadata_for
from .compiled import FlatForest, build, churn_column_of, columns_of, score_matrix
from .encoding import Encodings, encode_rows
from .errors import ModelVersionError
from .pickles import load_estimator, read_bytes, sha256_of
from .schema import FEATURES

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

_PARITY = 1e-12


def release(
    path: str | Path, *, assets_dir: str | Path, note: str = "", remembered: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Verify the model file in `path` and make it the released one in `assets_dir`. Returns the new model.json.

    Encodings, metrics and golden rows of a model.json beside `path` are kept when it names this file's SHA-256;
    else those `remembered` of it from a former release; else the labels are taken as alphabetical. **Unpickles the
    file**: whoever releases it vouches for its source.
    Raises one of the ModelError family, and then nothing was changed; OSError when `assets_dir` cannot be written.
    """
    source = Path(path)
    data = read_bytes(source)
    metadata = metadata_for(sha256_of(data), source.with_name(METADATA_FILE)) or dict(remembered or {})
    encodings = encodings_from(metadata, source)
    return package(data, Path(assets_dir), encodings, {**metadata, "note": note or metadata.get("note", "")})


def package(data: bytes, assets_dir: Path, encodings: Encodings, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Verify the pickle `data` and write model.pkl, flat arrays and model.json. Returns the model.json's content."""
    model = load_estimator(data)
    flat = build(model)
    golden.check(flat, encodings, metadata)
    _check_parity(model, flat, encodings)
    arrays = _npz(flat)
    complete = {
        **_description(model, flat),
        **metadata,
        "sha256": sha256_of(data),
        "released_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "encodings": encodings.as_metadata(),
        "arrays": {"file": ARRAYS_FILE, "sha256": sha256_of(arrays), "source_sha256": sha256_of(data)},
        "golden": metadata.get("golden") or golden.record(flat, encodings),
    }
    _write_all(assets_dir, {ARRAYS_FILE: arrays, MODEL_FILE: data, METADATA_FILE: _as_json(complete)})
    return complete


def _description(model: "RandomForestClassifier", flat: FlatForest) -> dict[str, Any]:
    import sklearn  # late: only a release needs it

    written_by = getattr(model, "__sklearn_version__", None) or sklearn.__version__
    return {
        "format": 1,
        "features": list(FEATURES),
        "sklearn_version": str(written_by),
        "n_trees": flat.n_trees,
        "n_nodes": len(flat.nodes),
    }


def _check_parity(model: "RandomForestClassifier", flat: FlatForest, encodings: Encodings) -> None:
    """Compare with scikit-learn itself on generated rows: the compiled forest must be the same forest."""
    matrix = encode_rows(golden.generate_rows(200), encodings)
    with warnings.catch_warnings():
        # The columns are put in the model's own order here; their names would take pandas.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        theirs = model.predict_proba(matrix[:, columns_of(model)])[:, churn_column_of(model)]
    furthest = float(np.abs(theirs - score_matrix(flat, matrix)).max())
    if not furthest <= _PARITY:
        raise ModelVersionError(
            f"the compiled forest and the installed scikit-learn differ by {furthest:.3g}; "
            "dump the model again with the scikit-learn of requirements.txt"
        )


def _npz(flat: FlatForest) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **flat.as_arrays())
    return buffer.getvalue()


def _as_json(metadata: Mapping[str, Any]) -> bytes:
    return (json.dumps(metadata, indent=2, ensure_ascii=False) + "\n").encode()


def _write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write every file beside its place first, then move them there; the one that vouches for the others comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = {name: folder / f".{name}.{os.getpid()}.tmp" for name in files}
    try:
        for name, data in files.items():
            _write_durably(temporary[name], data)
        for name in files:
            temporary[name].replace(folder / name)
        _sync_folder(folder)
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
