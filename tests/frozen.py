"""What merged migrations do, as one number for each file. ``make freeze`` notes new ones down.

The number is made of the operations, of the SQL that they give, and of the code that runs in them. A file may move, and
what it imports; dependencies may be chained anew. What it does to a database may not change: those that have run it
already would never follow.
"""

import ast
import hashlib
import inspect
import json
import os
import re
import sys
from pathlib import Path
from types import FunctionType
from typing import Any

import django
from django.db import connection, migrations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation

APPS = ("customers", "events", "vigilpay")
NOTED = Path(__file__).with_name("frozen_migrations.json")


def noted() -> dict[str, str]:
    return json.loads(NOTED.read_text())


def present() -> dict[str, str]:
    """The number of every migration of ours. Collecting their SQL changes nothing in the database."""
    loader = MigrationLoader(connection)
    return {
        f"{app}.{name}": number_of(loader, app, name) for app, name in sorted(loader.disk_migrations) if app in APPS
    }


def number_of(loader: MigrationLoader, app: str, name: str) -> str:
    migration = loader.disk_migrations[app, name]
    what = [migration.atomic, *map(told, migration.operations), sql_of(loader, migration)]
    return hashlib.sha256("\n".join(map(str, what)).encode()).hexdigest()[:16]


def sql_of(loader: MigrationLoader, migration: migrations.Migration) -> str:
    """As ``sqlmigrate`` prints it."""
    state = loader.project_state((migration.app_label, migration.name), at_end=False)
    with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
        migration.apply(state, editor, collect_sql=True)
    return "\n".join(editor.collected_sql)


def told(value: Any) -> str:
    """A value by its content: classes and functions without the module that they come from."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{told(key)}: {told(it)}' for key, it in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(told, value))}]"
    if isinstance(value, set | frozenset):
        return f"[{', '.join(sorted(map(told, value)))}]"
    if isinstance(value, Operation):
        return f"{type(value).__name__}({told(value.deconstruct()[1:])}){own_code(type(value))}"
    if isinstance(value, FunctionType):
        return value.__name__ + own_code(value)
    if isinstance(value, type):
        return value.__name__
    if hasattr(value, "deconstruct"):
        path, *arguments = value.deconstruct()[-3:]
        return f"{path.rpartition('.')[2]}({told(arguments)})"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def own_code(value: Any) -> str:
    """What the module has beside the migration, where a migration defines this: its parts use each other."""
    if ".migrations." not in value.__module__ or value.__module__.startswith("django."):
        return ""
    source = inspect.getsource(sys.modules[value.__module__])
    parts = [node for node in ast.parse(source).body if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)]
    return "\n".join(str(ast.get_source_segment(source, node)) for node in parts if not is_migration(node))


def is_migration(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef) and node.name == "Migration"


def main() -> None:
    """Add what is new. What has changed is left as it was noted: the test tells of it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vigilpay.settings")
    django.setup()
    known, found = noted(), present()
    added = {name: number for name, number in found.items() if name not in known}
    NOTED.write_text(json.dumps(dict(sorted({**known, **added}.items())), indent=2) + "\n")
    print(f"{len(added)} migrations noted down, {len(known)} were: {NOTED.name}")  # noqa: T201


if __name__ == "__main__":
    main()
