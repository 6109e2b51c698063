"""The signing key of a development checkout: made once, kept beside the private database, never in the repository."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def local_secret_key(directory: Path) -> str:
    """Return the key stored in ``directory``, making it first if needed. Two processes may ask at once."""
    path = directory / "secret_key"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50))
        try:
            with suppress(FileExistsError):  # another process was first: then its key is the one that counts
                os.link(draft, path)
        finally:
            draft.unlink()
    return path.read_text().strip()
