"""A merged migration never changes what it does: databases that have run it would never follow."""

import json
import re
from types import SimpleNamespace

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader

from tests import frozen

pytestmark = pytest.mark.django_db

concurrently = pytest.mark.django_db(transaction=True)  # asks for no transaction, even if it is only told


@concurrently
def test_every_migration_does_what_it_did_when_it_was_merged():
    noted, present = frozen.noted(), frozen.present()
    changed = {name for name, number in noted.items() if present.get(name) != number}
    assert not changed, "Put these back as they were, and write a new migration"
    assert noted.keys() == present.keys(), "Note new migrations down with: make freeze"


def number_of(*operations, name="0001_made_up", **attributes):
    made = type("Migration", (migrations.Migration,), {"operations": list(operations), **attributes})
    loader = SimpleNamespace(
        disk_migrations={("customers", name): made(name, "customers")},
        project_state=lambda *_given, **_how: MigrationLoader(None).project_state(("customers", "0001_initial")),
    )
    return frozen.number_of(loader, "customers", name)


def add(**field):
    return migrations.AddField("customer", "nickname", models.CharField(**{"max_length": 10, "default": "", **field}))


def run_this(apps, schema_editor):
    """Made up."""


def run_that(apps, schema_editor):
    """Made up as well."""


def index(*fields):
    return AddIndexConcurrently("customer", models.Index(*fields, name="made_up"))


class MovedField(models.CharField):
    """Has the name of Django's own, and another module."""


MovedField.__qualname__ = "CharField"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([add()], [add(max_length=11)]),
        ([add()], [add(default="x")]),
        ([add()], []),
        ([migrations.RunSQL("SELECT 1")], [migrations.RunSQL("SELECT 2")]),
        ([migrations.RunSQL("SELECT 1")], [migrations.RunSQL("SELECT 1", "SELECT 2")]),
        ([migrations.RunPython(run_this)], [migrations.RunPython(run_that)]),
    ],
)
def test_another_operation_is_another_number(one, other):
    assert number_of(*one) != number_of(*other)


@concurrently
def test_so_is_another_index_and_another_way_to_run():
    assert number_of(index("age"), atomic=False) != number_of(index("tenure"), atomic=False)
    assert number_of(add()) != number_of(add(), atomic=False)


def test_a_file_that_moves_and_a_chain_that_is_laid_anew_change_nothing():
    moved = migrations.AddField("customer", "nickname", MovedField(max_length=10, default=""))
    assert number_of(add()) == number_of(moved, name="0009_renamed", dependencies=[("events", "0001_initial")])


@concurrently
def test_the_code_of_a_migration_counts_but_not_its_imports_and_comments(monkeypatch):
    loader = MigrationLoader(None)
    [(app, name)] = [key for key in loader.disk_migrations if key == ("customers", "0007_list_indexes")]
    number = frozen.number_of(loader, app, name)
    source = frozen.inspect.getsource(frozen.sys.modules[f"customers.migrations.{name}"])
    for edit, counts in (
        (lambda text: text.replace("DROP INDEX CONCURRENTLY", "DROP INDEX"), True),
        (lambda text: re.sub(r"^(from|import) .*", "", text, flags=re.MULTILINE), False),
        (lambda text: text.replace('"""Indexes of', '"""All indexes of'), False),
    ):
        monkeypatch.setattr(frozen.inspect, "getsource", lambda _module, edit=edit: edit(source))
        assert (frozen.number_of(loader, app, name) != number) is counts


@concurrently
def test_noting_down_adds_what_is_new_and_never_overwrites(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(frozen, "NOTED", tmp_path / "noted.json")
    (tmp_path / "noted.json").write_text(json.dumps({"customers.0001_initial": "as it was"}))
    frozen.main()
    assert frozen.noted() == {**frozen.present(), "customers.0001_initial": "as it was"}
    assert "1 were" in capsys.readouterr().out
