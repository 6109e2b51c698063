"""The indexes of the admin's list are the declared ones, whichever commit's version of migration 0007 has run."""

from importlib import import_module

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader

pytestmark = pytest.mark.django_db(transaction=True)

MIGRATION = import_module("customers.migrations.0011_list_indexes_as_declared")
DEFINITIONS = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'customers_customer'"
RISK = "churn_risk_score DESC NULLS LAST, customer_id DESC"
DROP = "DROP INDEX customer_by_risk, customer_by_main_reason, customer_many_products"
MADE_BY = {
    "91e4675": [
        DROP,
        f"CREATE INDEX customer_risk ON customers_customer ({RISK})",
        "CREATE INDEX customer_main_reason ON customers_customer ((reason_codes[1]))",
        "CREATE INDEX customer_many_products ON customers_customer (num_of_products) WHERE num_of_products >= 3",
    ],
    "0f9fcce": [
        "DROP INDEX customer_by_risk, customer_many_products",
        f"CREATE INDEX customer_by_risk ON customers_customer ({RISK})"
        " INCLUDE (geography, num_of_products, is_active_member, has_cr_card)",
        "CREATE INDEX customer_many_products ON customers_customer (num_of_products) WHERE num_of_products >= 3",
    ],
    "an attempt that was cut short": [DROP],
    "today": [],
}


def definitions():
    with connection.cursor() as cursor:
        cursor.execute(DEFINITIONS)
        return dict(cursor.fetchall())


@pytest.mark.parametrize("commit", MADE_BY)
def test_those_of_early_commits_are_made_anew(commit):
    declared = definitions()
    with connection.cursor() as cursor:
        for statement in MADE_BY[commit]:
            cursor.execute(statement)
    assert (definitions() == declared) is (commit == "today")
    apps = MigrationLoader(connection).project_state().apps
    with connection.schema_editor(atomic=False) as editor:
        MIGRATION.make_as_declared(apps, editor)
    assert definitions() == declared
