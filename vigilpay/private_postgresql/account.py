"""The unix account that runs the private server, and how programs are run as it."""

import os
import pwd
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vigilpay.errors import ExplainedError
from vigilpay.processes import interrupts

# Nothing of the caller's: PGPORT, PGDATA or a locale would change the server. Messages stay in English.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class LocalServerError(ExplainedError):
    """The private PostgreSQL can't be used; the message says why and what to do."""


@dataclass(frozen=True)
class Account:
    """The unix account that runs the server. PostgreSQL refuses to run as root."""

    uid: int
    gid: int

    @property
    def name(self) -> str:
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"uid {self.uid}"

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run to its end, in a session of its own: our terminal's Ctrl-C must not reach a server.

        It does reach the program, which then undoes what it has begun: initdb its files, pg_ctl the server's start.
        """
        options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        if self.uid != os.geteuid():
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        try:
            # Fixed programs, arguments of our own, no shell.
            process = subprocess.Popen(  # noqa: S603
                command, cwd="/", env=ENVIRONMENT, start_new_session=True, text=True, **options
            )
        except OSError as error:
            raise LocalServerError(f"{self.name} cannot run {command[0]}: {error.strerror}.") from error
        with process:
            try:
                stdout, stderr = process.communicate()
            except KeyboardInterrupt:
                with interrupts.held():
                    process.send_signal(signal.SIGINT)
                    process.communicate()
                raise
        return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def own_account() -> Account:
    return Account(os.geteuid(), os.getegid())


def unprivileged_account() -> Account:
    """The account that root becomes for the server."""
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise LocalServerError(
        "PostgreSQL does not run as root, and neither the account `postgres` nor `nobody` exists to run it."
    )
