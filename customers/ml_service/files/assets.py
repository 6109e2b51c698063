"""The files of a model: model.pkl, the model.json that vouches for it, and the flat arrays that load without pickle.

`model.pkl` is the source of truth. The metadata and the arrays count only when they name its SHA-256.
"""

import io
import json
import logging
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from customers.ml_service.errors import ModelCorruptError, ModelError, UnreleasedModelError
from customers.ml_service.forest.compiled import FlatForest, build, from_arrays
from customers.ml_service.forest.encoding import Encodings
from customers.ml_service.forest.forest import Forest

from . import golden, thresholds
from .pickles import load_estimator, read_bytes, sha256_of

logger = logging.getLogger("vigilpay.model")

MODEL_FILE = "model.pkl"
METADATA_FILE = "model.json"
ARRAYS_FILE = "model.npz"
# In model.json: why the columns of a forest are right although its thresholds look wrong.
TRUSTED = "columns_trusted"
DEFAULT_ASSETS_DIR = Path(__file__).parents[3] / "ml_assets"


def load_forest(path: str | Path) -> Forest:
    """Load the forest in `path`, whatever it is and wherever it lies; only a model.json beside it is looked at.

    **Unpickling runs code**: load only files you trust. `.released` says whether the file was released; nothing is
    enforced. Raises one of the ModelError family.
    """
    return open_forest(Path(path), accept_unreleased=True)


def open_forest(path: Path, *, accept_unreleased: bool) -> Forest:
    """Load the forest in `path`; UnreleasedModelError, before anything is unpickled, if only released ones will do."""
    data = read_bytes(path)
    sha256 = sha256_of(data)
    metadata = metadata_for(sha256, path.with_name(METADATA_FILE))
    if not metadata and not accept_unreleased:
        raise UnreleasedModelError(
            f"{path} (sha256 {sha256[:12]}…) is not the released model; "
            "look at where it came from, then accept it with `manage.py release_model PATH`"
        )
    codes = encodings_from(metadata, path)
    flat = _stored_arrays(metadata, path.parent) or _from_pickle(data, codes, metadata)
    encodings = replace(codes, roundings=flat.roundings)
    golden.check(flat, encodings, metadata)
    warn_of_assumed_codes(metadata, path)
    return Forest(flat, sha256, encodings, released=bool(metadata), metadata=metadata)


def _from_pickle(data: bytes, codes: Encodings, metadata: Mapping[str, Any]) -> FlatForest:
    """Build the forest, and refuse one that was fitted on something else, unless its columns were vouched for."""
    flat = build(load_estimator(data))
    columns = [] if metadata.get(TRUSTED) else thresholds.columns(flat, codes)
    thresholds.refuse([column for column in columns if column.is_wrong], columns)
    for column in columns:
        if column.is_doubtful:
            logger.warning("the forest may have been fitted on something else than the nine columns: %s", column)
    return flat


def metadata_for(sha256: str, path: Path) -> Mapping[str, Any]:
    """Return the content of a model.json, or nothing when it is absent, damaged or about another file."""
    try:
        metadata = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        logger.warning("%s cannot be read (%s): the model counts as unreleased", path, error)
        return {}
    return metadata if isinstance(metadata, dict) and metadata.get("sha256") == sha256 else {}


def metadata_beside(path: Path) -> dict[str, Any]:
    """Return the SHA-256 of a model file, which is not unpickled, and the model.json that names it.

    Raises ModelMissingError.
    """
    sha256 = sha256_of(read_bytes(path))
    return {"sha256": sha256, **metadata_for(sha256, path.with_name(METADATA_FILE))}


def encodings_from(metadata: Mapping[str, Any], path: Path) -> Encodings:
    """Return the label codes stored for this model, else the alphabetical ones: see `warn_of_assumed_codes`."""
    if "encodings" not in metadata:
        return Encodings()
    try:
        return Encodings.from_metadata(metadata["encodings"])
    except ValueError as error:
        raise ModelCorruptError(f"{path.with_name(METADATA_FILE)}: {error}; release the model again") from None


def warn_of_assumed_codes(metadata: Mapping[str, Any], path: Path) -> None:
    """Warn in the log that the label codes of a usable model are a guess."""
    if "encodings" not in metadata:
        logger.warning(
            "%s comes without a model.json of its own (not released, or another file's): its labels are read in "
            "alphabetical order, %s. If it was fitted with other codes every score is wrong. "
            "Accept the file with `manage.py release_model PATH`.",
            path,
            Encodings(),
        )


def _stored_arrays(metadata: Mapping[str, Any], folder: Path) -> FlatForest | None:
    """Return the forest from the released arrays; None, with the reason logged, when model.pkl must be read instead."""
    entry = metadata.get("arrays")
    if not isinstance(entry, dict):
        return None
    try:
        data = (folder / Path(str(entry.get("file"))).name).read_bytes()
        if sha256_of(data) != entry.get("sha256") or entry.get("source_sha256") != metadata["sha256"]:
            raise ModelCorruptError("their checksum is not the released one")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return from_arrays(dict(arrays))
    except (OSError, ValueError, zipfile.BadZipFile, ModelError) as error:
        logger.warning("the model's flat arrays are not used (%s); reading model.pkl instead, which is slower", error)
        return None
