"""Models that are stored elsewhere than in files: packed, unpacked against their checksums, and cached in a folder.

Nothing is believed that a release does not name: neither what was stored nor what lies in the cache. Arrays are data
and never unpickled; a model.pkl is code, and given out with the checksum of its release alone.
"""

import io
import logging
import os
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from customers.ml_service.errors import ModelCorruptError, ModelError
from customers.ml_service.forest.compiled import FlatForest, from_arrays
from customers.ml_service.forest.forest import Forest, fingerprint_of

from . import golden
from .assets import encodings_from, flat_from_pickle, warn_of_assumed_codes
from .packaging import npz, write_all
from .pickles import sha256_of

logger = logging.getLogger("vigilpay.model")

# How many models stay in the cache: the active one, those before it, and one that is tried out.
CACHED = 4


@dataclass(frozen=True)
class Wanted:
    """A model as its release names it: checksum of the model.pkl, fingerprint, and checksum of what its arrays hold.

    Without the last nothing is known of the arrays, and they are not used.
    """

    sha256: str
    fingerprint: str
    contents: str
    metadata: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"model {self.sha256[:12]}"

    def forest(self, flat: FlatForest, *, unpickled: bool) -> Forest:
        """The forest of these arrays. ModelCorruptError where the label codes are others than the release's."""
        codes = encodings_from(self.metadata, Path(self.name))
        if fingerprint_of(self.sha256, codes) != self.fingerprint:
            raise ModelCorruptError(f"the stored label codes of {self.name} are not those of its release")
        encodings = replace(codes, roundings=flat.roundings)
        golden.check(flat, encodings, self.metadata)
        warn_of_assumed_codes(self.metadata, Path(self.name))
        return Forest(flat, self.sha256, encodings, bool(self.metadata), self.metadata, unpickled)


def pack(data: bytes) -> bytes:
    return zlib.compress(data)


def unpacked(packed: bytes) -> bytes:
    try:
        return zlib.decompress(packed)
    except zlib.error as error:
        raise ModelCorruptError(f"it cannot be unpacked ({error})") from None


def pack_arrays(flat: FlatForest) -> bytes:
    return pack(npz(flat))


def source_of(packed: bytes, wanted: Wanted) -> bytes:
    """The model.pkl. ModelCorruptError where it is not the released one."""
    data = unpacked(packed)
    if sha256_of(data) != wanted.sha256:
        raise ModelCorruptError(f"the stored model.pkl of {wanted.name} has the SHA-256 {sha256_of(data)[:12]}…")
    return data


def from_packed_arrays(packed: bytes, wanted: Wanted) -> FlatForest:
    """The arrays. ModelCorruptError where they are not the released ones."""
    return _checked(unpacked(packed), wanted)


def from_source(packed: bytes, wanted: Wanted) -> FlatForest:
    """Build the arrays from the model.pkl. **Unpickles it**, if it has the checksum of its release."""
    codes = encodings_from(wanted.metadata, Path(wanted.name))
    return flat_from_pickle(source_of(packed, wanted), codes, wanted.metadata)


def _checked(data: bytes, wanted: Wanted) -> FlatForest:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            flat = from_arrays(dict(arrays))
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ModelCorruptError(f"its arrays cannot be read ({error})") from None
    if not wanted.contents or flat.contents != wanted.contents:
        raise ModelCorruptError(f"its arrays have the checksum {flat.contents[:12]}…, not {wanted.contents[:12]}…")
    return flat


def read_cache(folder: Path, wanted: Wanted) -> FlatForest | None:
    """The arrays as they were cached; None without them, or where they are not the released ones, which is logged."""
    path = _cached(folder, wanted)
    try:
        flat = _checked(path.read_bytes(), wanted)
    except OSError:
        return None
    except ModelError as error:
        logger.error("%s was altered and is not used: %s. It is read from the database again", path, error)
        return None
    with suppress(OSError):
        os.utime(path)  # used last, removed last
    return flat


def write_cache(folder: Path, wanted: Wanted, flat: FlatForest) -> None:
    """Keep the arrays for the next start, and remove those that were not used for longest."""
    try:
        write_all(folder, {_cached(folder, wanted).name: npz(flat)})
        found = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in found[CACHED:]:
            path.unlink(missing_ok=True)
    except OSError as error:
        logger.debug("The model is not cached: %s", error)


def _cached(folder: Path, wanted: Wanted) -> Path:
    return folder / f"{wanted.fingerprint}.npz"
