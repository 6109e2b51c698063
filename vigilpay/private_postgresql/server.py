"""The private server of a checkout: started by its first user, kept running, stopped when that is asked for."""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

import psycopg

from vigilpay.private_postgresql import installation, postmaster
from vigilpay.private_postgresql.account import LocalServerError
from vigilpay.private_postgresql.installation import NAME
from vigilpay.private_postgresql.places import Places
from vigilpay.private_postgresql.postmaster import PORT, START_SECONDS, STOP_SECONDS
from vigilpay.private_postgresql.users import Users

LAST_SECONDS = 2  # how long a worker that was killed may take to end itself


class LocalServer(Places):
    """The private server of the checkout at `root`. Making this object looks around, but changes and starts nothing."""

    @cached_property
    def users(self) -> Users:
        return Users(self.home, self.account.uid, self.account.gid)

    def connection_settings(self, name: str = NAME) -> dict[str, str]:
        """HOST, PORT, USER and NAME for Django's DATABASES. Starts nothing."""
        return {"HOST": str(self.socket_directory), "PORT": PORT, "USER": NAME, "NAME": name}

    def status(self) -> str:
        """Is it running, and where is it?"""
        pid = postmaster.find_pid(self)
        state = f"running, process {pid}" if pid else "not running"
        connect = f"psql -h {self.socket_directory} -U {NAME} {NAME}"
        return (
            f"PostgreSQL {self.programs.major}: {state}\ndata     {self.data}\nlog      {self.log}\nconnect  {connect}"
        )

    def ensure_started(self, *, for_now: bool = False) -> None:
        """Have it running, and used by this process. A server that had to be started for now, the last user stops."""
        self.users.join()
        if self.answers():
            return
        with self._lock():
            if not self.answers():  # or another start finished while this one waited for the lock
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
                sys.stderr.write(
                    "PostgreSQL keeps running because others use it; the last demo, or `make db-stop`, stops it.\n"
                )
                return
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether it takes connections."""
        if installation.has_socket_directory(self):
            with suppress(psycopg.OperationalError), self._connect(NAME):
                return True
        return False

    # --- the steps, all under the lock --------------------------------------------------------------------------------

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One start or stop at a time. The kernel frees the lock if we are killed."""
        try:
            installation.make_parent(self)
            handle = os.open(self.home.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise LocalServerError(
                f"The private PostgreSQL needs {self.home.parent}, but: {error}. If another user first "
                "started it, start it as that user or as root; or set DATABASE_URL."
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _start(self, *, for_now: bool) -> None:
        installation.make_directory(self.home, self.account)
        installation.copy_programs(self)
        if postmaster.find_pid(self) is None:
            self.users.mark(for_now=for_now)
            postmaster.forget_dead(self)
            installation.make_socket_directory(self)
            if not self.data.exists():
                installation.make_data(self)
            postmaster.launch(self)
        self._create_database()

    def _stop(self, mode: str = "fast") -> None:
        if postmaster.find_pid(self) is not None:
            installation.copy_programs(self)
            postmaster.run_pg_ctl(self, "stop", "-m", mode, "-t", str(STOP_SECONDS))
        installation.remove_socket_directory(self)

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
                if postmaster.find_pid(self) is None or time.monotonic() > deadline:
                    raise LocalServerError(
                        f"PostgreSQL does not answer: {error}\n{installation.advice(self)}"
                    ) from error
                time.sleep(0.1)

    def _connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=str(self.socket_directory), port=PORT, user=NAME, dbname=database, connect_timeout=5, autocommit=True
        )
