"""Migrations of a large table may be interrupted, and are then simply repeated."""

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connection
from django.db.migrations.loader import MigrationLoader


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["0018_value_at_risk", "0021_outreach_permissions"])
def test_an_index_that_an_interrupted_build_has_left_behind_is_built_again(name):
    loader = MigrationLoader(connection)
    after = loader.project_state(("customers", name))
    operations = loader.disk_migrations["customers", name].operations
    [operation] = [it for it in operations if isinstance(it, AddIndexConcurrently)]
    with connection.schema_editor(atomic=False) as editor:
        operation.database_forwards("customers", editor, after, after)
    table = after.apps.get_model("customers", operation.model_name)._meta.db_table
    with connection.cursor() as cursor:
        assert operation.index.name in connection.introspection.get_constraints(cursor, table)
