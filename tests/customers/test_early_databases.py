"""Databases of the first commits get what their first migration was given later."""

import json

import pytest
from django.db import connection

from customers.early_databases import mend
from customers.ml_service import load_forest
from customers.models import ModelRelease
from customers.releases.active import active_model

pytestmark = pytest.mark.django_db

COLUMN = """
SELECT format_type(atttypid, atttypmod), attnotnull, atthasdef FROM pg_attribute
WHERE attrelid = 'customers_modelrelease'::regclass AND attname = 'fingerprint'
"""


def sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else None


def test_releases_get_the_fingerprints_that_their_files_have(assets):
    """The shipped model, and the same file without codes of its own, which are alphabetical then."""
    as_made = sql(COLUMN)
    shipped = load_forest(assets / "model.pkl")
    (assets / "model.json").unlink()
    alphabetical = load_forest(assets / "model.pkl")
    sql("ALTER TABLE customers_modelrelease DROP COLUMN fingerprint")
    for kept in ({"encodings": shipped.metadata["encodings"]}, {}):
        values = shipped.sha256, json.dumps(kept)
        sql("INSERT INTO customers_modelrelease (sha256, note, metadata) VALUES (%s, '', %s)", *values)
    mend("default")
    found = ModelRelease.objects.order_by("id").values_list("fingerprint", flat=True)
    assert list(found) == [shipped.fingerprint, alphabetical.fingerprint]
    assert sql(COLUMN) == as_made


def test_a_database_that_has_them_and_one_that_is_empty_stay_as_they_are(assets):
    active_model()
    before = list(ModelRelease.objects.values())
    mend("default")
    assert list(ModelRelease.objects.values()) == before
    sql("ALTER TABLE customers_modelrelease RENAME TO elsewhere")
    mend("default")
    assert sql("SELECT to_regclass('customers_modelrelease')") == [(None,)]
