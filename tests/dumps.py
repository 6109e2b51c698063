"""PostgreSQL's programs for dumps: those beside the server's own, which may be newer than the ones on the path."""

import shutil

import pytest

from vigilpay import env
from vigilpay.private_postgresql.account import LocalServerError
from vigilpay.private_postgresql.programs import find_programs


def program(name: str) -> str:
    """The path of the program; its mere name where the machine has none."""
    try:
        beside_server = find_programs(env.text("VIGILPAY_PG_BIN", default=""))[0].directory / name
    except LocalServerError:
        return name
    return str(beside_server) if beside_server.exists() else name


PG_DUMP, PG_RESTORE = program("pg_dump"), program("pg_restore")

needs_dumps = pytest.mark.skipif(
    not (shutil.which(PG_DUMP) and shutil.which(PG_RESTORE)), reason="needs pg_dump and pg_restore"
)
