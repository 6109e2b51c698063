"""The server's main process: found, started and stopped."""

import os
import shlex
import time
from pathlib import Path

from vigilpay.private_postgresql.account import LocalServerError, own_account
from vigilpay.private_postgresql.installation import advice, remove_socket_directory
from vigilpay.private_postgresql.places import Places

PORT = "5432"  # only names the socket file: there is no TCP
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
LOG_BYTES = 10_000_000


def find_pid(places: Places) -> int | None:
    """The running server's process; None too if the number in its file is another program's by now."""
    try:
        pid = int((places.data / "postmaster.pid").read_text().split("\n")[0])
    except (FileNotFoundError, ValueError):
        return None
    except PermissionError as error:
        raise LocalServerError(f"{places.data} belongs to another user, who first started this server.") from error
    return pid if program_name(pid) == "postgres" else None


def forget_dead(places: Places) -> None:
    """After kill -9 or a restart of the machine the number may be another process's, or a zombie's.

    PostgreSQL would then refuse to start. A file that names its starter's process it takes for a dead server's,
    and still makes sure by the shared memory named further down that no orphan of that server is at work.
    """
    path = places.data / "postmaster.pid"
    if path.exists():
        _, _, rest = path.read_text().partition("\n")
        path.write_text(f"{os.getpid()}\n{rest}") if rest else path.unlink()
    remove_socket_directory(places)  # the socket's lock file has a process number too


def launch(places: Places) -> None:
    if places.log.exists() and places.log.stat().st_size > LOG_BYTES:
        places.log.replace(places.log.with_suffix(".log.1"))
    settings = {**SETTINGS, "unix_socket_directories": str(places.socket_directory)}
    options = " ".join(shlex.quote(f"--{name}={value}") for name, value in settings.items())
    deadline = time.monotonic() + ORPHAN_SECONDS
    while True:
        try:
            return run_pg_ctl(places, "start", "-l", places.log, "-t", str(START_SECONDS), "-o", options)
        except LocalServerError as error:
            if "shared memory block" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def run_pg_ctl(places: Places, action: str, *arguments: str | Path) -> None:
    done = places.account.run(places.program_directory / "pg_ctl", action, "-D", places.data, "-w", *arguments)
    if done.returncode != 0:
        tail = "\n".join(places.log.read_text(errors="replace").splitlines()[-15:]) if places.log.exists() else ""
        raise LocalServerError(
            f"The private PostgreSQL did not {action}: {done.stderr.strip()}\n"
            f"The last lines of {places.log}:\n{tail}\n{advice(places)}"
        )


def program_name(pid: int) -> str:
    """The name of a living process's program, or nothing."""
    if not Path("/proc/self").exists():
        return os.path.basename(own_account().run("/bin/ps", "-o", "comm=", "-p", str(pid)).stdout.strip())
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return os.fsdecode(os.path.basename(command.split(b"\0")[0]))
