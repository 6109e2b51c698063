"""Indexes of the admin's list. Concurrently: nobody waits. An attempt that was cut short is simply repeated."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Collate, Upper


class AddIndex(AddIndexConcurrently):
    """A build that was interrupted leaves an invalid index of that name behind, which costs and serves nobody."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(self.index.name)}")
        super().database_forwards(app_label, schema_editor, from_state, to_state)


RISK = (models.F("churn_risk_score").desc(nulls_last=True), models.F("customer_id").desc())


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY

    dependencies = [("customers", "0006_drift_and_outcomes")]

    operations = [
        AddIndex(
            "customer",
            models.Index(
                *RISK,
                *("geography", "num_of_products", "is_active_member", "has_cr_card"),
                name="customer_by_risk",
            ),
        ),
        AddIndex("customer", models.Index(models.F("reason_codes__0"), *RISK, name="customer_by_main_reason")),
        AddIndex("customer", models.Index(Collate(Upper("surname"), "C"), name="customer_surname")),
        AddIndex(
            "customer",
            models.Index(
                models.F("num_of_products"),
                *RISK,
                condition=models.Q(num_of_products__gte=3),
                name="customer_many_products",
            ),
        ),
        RemoveIndexConcurrently("customer", "customer_risk"),  # last: there always is one in the order of risk
    ]
