"""The files of a model: model.pkl, the model.json that describes it, and the flat arrays that load without pickle.

`model.pkl` is the source of truth. The metadata and the arrays count only when they name its SHA-256. A user who can
write one of these files can write all: where only released models will do, the records of releases decide.
"""

import io
import json
import logging
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from customers.ml_service.errors import ModelCorruptError, ModelError, UnknownReleaseError, UnreleasedModelError
from customers.ml_service.forest.compiled import FlatForest, build, from_arrays
from customers.ml_service.forest.encoding import Encodings
from customers.ml_service.forest.forest import Forest, fingerprint_of

from . import golden, thresholds
from .pickles import load_estimator, read_bytes, sha256_of
from .records import Records

logger = logging.getLogger("vigilpay.model")

MODEL_FILE = "model.pkl"
METADATA_FILE = "model.json"
ARRAYS_FILE = "model.npz"
# In model.json: why the columns of a forest are right although its thresholds look wrong.
TRUSTED = "columns_trusted"
DEFAULT_ASSETS_DIR = Path(__file__).parents[3] / "ml_assets"


class ModelFile(NamedTuple):
    """A model.pkl as bytes, not unpickled, and the content of the model.json beside it if that names this file."""

    path: Path
    data: bytes
    sha256: str
    metadata: Mapping[str, Any]

    @property
    def encodings(self) -> Encodings:
        """The label codes of the model.json, else the alphabetical ones. Raises ModelCorruptError."""
        return encodings_from(self.metadata, self.path)

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.sha256, self.encodings)

    def refuse_undescribed(self) -> None:
        """UnreleasedModelError where no model.json names this file."""
        if not self.metadata:
            raise UnreleasedModelError(
                f"{self.path} (sha256 {self.sha256[:12]}…) is not the released model; "
                "look at where it came from, then accept it with `manage.py release_model PATH`"
            )


def read_model_file(path: Path) -> ModelFile:
    """Read a model file without unpickling it. Raises ModelMissingError or ModelCorruptError."""
    data = read_bytes(path)
    sha256 = sha256_of(data)
    return ModelFile(path, data, sha256, metadata_for(sha256, path.with_name(METADATA_FILE)))


def load_forest(path: str | Path) -> Forest:
    """Load the forest in `path`, whatever it is and wherever it lies; only a model.json beside it is looked at.

    **Unpickling runs code**: load only files you trust. `.released` says whether the file was released; nothing is
    enforced. Raises one of the ModelError family.
    """
    return open_forest(Path(path), accept_unreleased=True)


def open_forest(path: Path, *, accept_unreleased: bool, records: Records | None = None) -> Forest:
    """Load the forest in `path`. If only released ones will do, `records` are what is known of releases of this file.

    Then model.pkl is unpickled only if they let it, and the arrays are used only with contents that they know. Without
    records the arrays alone are read. Raises UnreleasedModelError before anything is unpickled.
    """
    file = read_model_file(path)
    if not accept_unreleased:
        file.refuse_undescribed()
        _refuse_unknown(file, records)
    codes = file.encodings
    flat = _released_arrays(file, None if accept_unreleased else records)
    unpickled = flat is None
    if flat is None:
        if not accept_unreleased and records is None:
            raise UnknownReleaseError(f"{path} is not unpickled: there are no records of releases to ask here")
        flat = flat_from_pickle(file.data, codes, file.metadata)
    encodings = replace(codes, roundings=flat.roundings)
    golden.check(flat, encodings, file.metadata)
    warn_of_assumed_codes(file.metadata, path)
    return Forest(
        flat, file.sha256, encodings, released=bool(file.metadata), metadata=file.metadata, unpickled=unpickled
    )


def _refuse_unknown(file: ModelFile, records: Records | None) -> None:
    if records is not None and not (records.may_be_unpickled and records.sha256 == file.sha256):
        raise UnknownReleaseError(
            f"{file.path} (sha256 {file.sha256[:12]}…) was never released in this database, and was not opened; "
            "look at where it came from, then accept it with `manage.py release_model PATH`"
        )


def flat_from_pickle(data: bytes, codes: Encodings, metadata: Mapping[str, Any]) -> FlatForest:
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
    file = read_model_file(path)
    return {"sha256": file.sha256, **file.metadata}


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


def _released_arrays(file: ModelFile, records: Records | None) -> FlatForest | None:
    """Return the forest of the stored arrays if these are those of a release; without records, of any."""
    if records is not None and not records.contents:
        return None
    flat = stored_arrays(file)
    if flat is None or records is None or flat.contents in records.contents:
        return flat
    logger.error(
        "%s was altered: its arrays have the checksum %s…, released was %s…. They are refused; model.pkl is read "
        "instead, which is slower. Find out who wrote there, then put the file right with "
        "`manage.py release_model %s`",
        *(file.path.with_name(ARRAYS_FILE), flat.contents[:12], min(records.contents)[:12], file.path),
    )
    return None


def stored_arrays(file: ModelFile) -> FlatForest | None:
    """Return the forest of the arrays that the model.json names; None, with the reason logged, if there is none."""
    entry = file.metadata.get("arrays")
    if not isinstance(entry, dict):
        return None
    try:
        data = (file.path.parent / Path(str(entry.get("file"))).name).read_bytes()
        if sha256_of(data) != entry.get("sha256") or entry.get("source_sha256") != file.sha256:
            raise ModelCorruptError("their checksum is not the released one")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return from_arrays(dict(arrays))
    except (OSError, ValueError, zipfile.BadZipFile, ModelError) as error:
        logger.warning("the model's flat arrays are not used (%s); reading model.pkl instead, which is slower", error)
        return None
