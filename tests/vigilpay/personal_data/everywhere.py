"""All that the database holds: every column of every table, decoded where it is coded."""

import base64
import binascii
import gzip
import re
import zlib
from collections.abc import Iterator
from typing import Any

from django.db import connection

TABLES = """
SELECT quote_ident(relname) FROM pg_class
WHERE relkind IN ('r', 'p', 'm') AND relnamespace = current_schema()::regnamespace ORDER BY relname
"""
MOST_LAYERS = 4


def places_of(pattern: str) -> dict[str, list[str]]:
    """The tables in which a text of this pattern stands, with what was read there."""
    wanted = re.compile(pattern, re.IGNORECASE)
    found: dict[str, list[str]] = {}
    for table, values in rows():
        for value in values:
            for text in readings(value):
                if wanted.search(text):
                    found.setdefault(table, []).append(text[:200])
    return found


def rows() -> Iterator[tuple[str, tuple[Any, ...]]]:
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT * FROM {table}")
            for row in cursor.fetchall():
                yield table, row


def readings(value: Any, layers: int = MOST_LAYERS) -> Iterator[str]:
    """A value as text, and as what it may be the coded form of: sessions, signed pickles, archives, base64."""
    content = bytes(value) if isinstance(value, memoryview | bytes) else str(value).encode()
    yield content.decode(errors="replace")
    if layers:
        for decoded in decodings(content):
            yield from readings(decoded, layers - 1)


def decodings(content: bytes) -> Iterator[bytes]:
    # A signed value is payload:time:signature; a point in front means that it is compressed.
    for part in {content, content.split(b":")[0], content.split(b":")[0].lstrip(b".")}:
        for decode in (base64.b64decode, base64.urlsafe_b64decode):
            if len(part) > 8:
                try:
                    decoded = decode(part + b"=" * (-len(part) % 4))
                except (ValueError, binascii.Error):
                    continue
                if decoded != content:
                    yield decoded
    for unpack in (zlib.decompress, gzip.decompress):
        try:
            yield unpack(content)
        except (zlib.error, OSError, EOFError):
            continue


def tables_with(column: str) -> set[str]:
    """The tables of ours that have a column of this name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = current_schema()"
            " AND column_name = %s",
            [column],
        )
        return {table for (table,) in cursor.fetchall()}
