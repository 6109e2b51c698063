"""The folder where models lie: what is in it, and whether this process may write there, answered in words."""

import errno
import os
import pwd
from pathlib import Path

from customers.ml_service.errors import ModelError

# Trained models that wait for their release, each in a folder of its own.
CANDIDATES = "candidates"

_EFFECTIVE = os.access in os.supports_effective_ids


class FolderNotWritableError(ModelError):
    """The folder of a model, or one below it, cannot be written by this user. Nothing was changed."""


def refuse_unwritable(folder: Path) -> None:
    """Raise FolderNotWritableError when a release could not write to this folder, or to one in it, or create it."""
    candidates = folder / CANDIDATES
    inside = [path for path in folder.rglob("*") if path.is_dir() and candidates not in (path, *path.parents)]
    absolute = folder.absolute()
    first = next(path for path in (absolute, *absolute.parents) if os.path.exists(path))  # pathlib's own may raise
    for path in (first, *inside):
        if not os.access(path, os.W_OK | os.X_OK, effective_ids=_EFFECTIVE):
            raise FolderNotWritableError(_describe_unwritable(path, "no permission, or mounted read-only"))


def describe_write_error(error: OSError, folder: Path) -> str:
    """What went wrong when files of `folder` were written, and what to do."""
    path = Path(error.filename) if isinstance(error.filename, str | Path) else folder
    reason = error.strerror or str(error)
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return _describe_unwritable(path.parent, reason)
    return f"{path} cannot be written: {reason}. Nothing was changed"


def _describe_unwritable(folder: Path, reason: str) -> str:
    return (
        f"the user {_name_of(os.geteuid())} cannot write to {folder}, which belongs to {_owner_of(folder)}: {reason}. "
        "Nothing was changed. Run the command as the owner, make the folder writable for this user, or name another "
        "folder in VIGILPAY_ML_ASSETS, for all processes of VigilPay"
    )


def _owner_of(folder: Path) -> str:
    try:
        return _name_of(folder.stat().st_uid)
    except OSError:
        return "another user"


def _name_of(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} ({uid})"
    except KeyError:  # as in a container that runs under any number
        return str(uid)
