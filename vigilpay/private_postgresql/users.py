"""Which processes use the private server: each holds a shared lock on one file, which the kernel frees at its end."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_joined: dict[Path, int] = {}  # of this process, and of its forked children, which use the server as well


@dataclass(frozen=True)
class Users:
    """Those of the server in this directory, which belongs to the account with these ids."""

    home: Path
    uid: int
    gid: int

    def join(self) -> None:
        """Use the server until ``leave``, or the end of this process and its forked children.

        Waits for a stop that is at work. Where there is no directory yet, or none that we may enter, nothing happens.
        """
        if self.home in _joined:
            return
        with suppress(OSError):
            handle = self._open()
            fcntl.flock(handle, fcntl.LOCK_SH)
            _joined[self.home] = handle

    def leave(self) -> None:
        if (handle := _joined.pop(self.home, None)) is not None:
            os.close(handle)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether no other process uses the server; if so, none begins to as long as the block lasts."""
        handle, is_alone = self._open(), True
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                is_alone = False
            yield is_alone
        finally:
            os.close(handle)

    def mark(self, *, for_now: bool) -> None:
        """Say whether the last of the users shall stop the server."""
        if for_now:
            self._sign.touch()
        else:
            self._sign.unlink(missing_ok=True)

    def is_for_now(self) -> bool:
        return os.path.exists(self._sign)  # not Path.exists, which raises where another account keeps it closed

    @property
    def _sign(self) -> Path:
        return self.home / "stop-when-unused"

    def _open(self) -> int:
        path = self.home / "users"
        with suppress(FileExistsError):
            made = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            os.fchown(made, self.uid, self.gid)  # made by root or not: the account's own commands open it as well
            return made
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
