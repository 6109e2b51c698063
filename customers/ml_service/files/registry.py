"""The forest this process scores with: loaded once, checked against the disk at every use, swapped when it changed."""

import os
import threading
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from customers.ml_service.errors import ModelError, ModelMissingError, UnknownReleaseError
from customers.ml_service.forest import engine
from customers.ml_service.forest.forest import Forest

from .assets import DEFAULT_ASSETS_DIR, METADATA_FILE, MODEL_FILE, ModelFile, open_forest, read_model_file
from .records import Records, RecordsOf

_SWAP_SECONDS = 0.05  # how long a swap of the two files may be caught in the middle
_MAX_LOADS = 5

Stamp = tuple[int, int, int] | None


@dataclass(frozen=True)
class _Settings:
    assets_dir: Path = DEFAULT_ASSETS_DIR
    accept_unreleased: bool = True
    records_of: RecordsOf | None = None

    @property
    def model_path(self) -> Path:
        return self.assets_dir / MODEL_FILE

    @cached_property
    def paths(self) -> tuple[str, str]:
        return str(self.model_path), str(self.assets_dir / METADATA_FILE)

    def records(self, sha256: str) -> Records | None:
        """What is known of releases of the file, where that matters."""
        return None if self.accept_unreleased or self.records_of is None else self.records_of(sha256)


Signature = tuple[_Settings, Stamp, Stamp]


class Identity(NamedTuple):
    """Which model lies in a folder: the SHA-256 of its file, and the fingerprint of file and label codes."""

    sha256: str
    fingerprint: str


@dataclass(frozen=True)
class _Held:
    """What the last load gave, and the files it was made from."""

    signature: Signature
    outcome: Forest | ModelError


_lock = threading.RLock()
# A fork in the middle of another thread's load must not leave the child with a lock that is never released.
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
_settings = _Settings()
_held: _Held | None = None
_identified: tuple[Signature, Identity] | None = None


def configure(
    *,
    assets_dir: Path,
    accept_unreleased: bool,
    records_of: RecordsOf | None = None,
    numba_cache_dir: Path | None = None,
) -> None:
    """Set where the model lies and whether a file that was never released may be used (development only).

    If not, `records_of` is asked with the SHA-256 of each model.pkl before it is loaded, never for one that is loaded;
    its errors reach the caller. Without it nothing is unpickled, and arrays are used as the model.json names them.
    `numba_cache_dir` must be writable; None leaves the choice to numba. Without any call: the checkout's ml_assets/
    and development rules.
    """
    global _settings
    _settings = _Settings(Path(assets_dir), accept_unreleased, records_of)
    engine.set_cache_directory(numba_cache_dir)


def current_identity() -> Identity:
    """Return which model lies in the configured `assets_dir`, in which nothing is unpickled. Cheap until it changes.

    Raises ModelMissingError or ModelCorruptError.
    """
    global _identified
    signature, identified = current_signature(), _identified
    if identified is None or identified[0] != signature:
        file = read_model_file(_settings.model_path)
        _identified = identified = signature, Identity(file.sha256, file.fingerprint)
    return identified[1]


def current_forest() -> Forest:
    """Return the forest in the configured `assets_dir`, reloaded when model.pkl or model.json changed since.

    A file that cannot be used raises its ModelError at every call until the files change: the former forest is never
    served in its place, and a bad file that stays the same is not read again.
    """
    held = _held
    if held is None or held.signature != current_signature():
        held = _reload()
    if isinstance(held.outcome, ModelError):
        raise type(held.outcome)(*held.outcome.args)  # a fresh one: a shared exception would collect tracebacks
    return held.outcome


def _reload() -> _Held:
    global _held
    with _lock:
        held = _held
        if held is None or held.signature != current_signature():
            held = _load()
            if not isinstance(held.outcome, ModelMissingError | UnknownReleaseError):
                # Permissions, mounts and releases can change without changing the files: then look again next time.
                _held = held
        return held


def _load() -> _Held:
    """Load until the files stayed the same meanwhile, so that a half-finished swap is never held."""
    for _ in range(_MAX_LOADS):
        signature = current_signature()
        try:
            held = _Held(signature, _open_tolerantly(_settings))
        except ModelError as error:
            held = _Held(signature, error.with_traceback(None))
        if current_signature() == signature:
            break
    return held


def _open_tolerantly(settings: _Settings) -> Forest:
    file = _read_tolerantly(settings.model_path)
    return open_forest(file.path, accept_unreleased=settings.accept_unreleased, records=settings.records(file.sha256))


def _read_tolerantly(path: Path) -> ModelFile:
    """The file as it is, or some ms later: model.json may be replaced an instant before model.pkl, or after it."""
    file = read_model_file(path)
    if not file.metadata:
        time.sleep(_SWAP_SECONDS)
        file = read_model_file(path)
    return file


def current_signature() -> Signature:
    """What changes when other files are put in place."""
    return _settings, stamp_of(_settings.paths[0]), stamp_of(_settings.paths[1])


def came_at() -> float:
    """When the files in place came there, in seconds since 1970: no copying or moving keeps this time. 0 without."""
    model, metadata = map(_changed_at, _settings.paths)
    return max(model, metadata) if model else 0.0


def _changed_at(path: str) -> float:
    try:
        return os.stat(path).st_ctime
    except OSError:
        return 0.0


def stamp_of(path: str) -> Stamp:
    """Time in nanoseconds, size in bytes and identity of a file, which change when it is replaced; None without one."""
    try:
        status = os.stat(path)  # twice a score: pathlib's own stat takes three times as long
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
