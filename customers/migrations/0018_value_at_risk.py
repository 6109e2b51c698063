"""The index of the list by value at risk. Concurrently: no edit waits. An attempt that was cut short is simply repeated.

The constraints that hold value and score together come with the same change of ``events``, behind the triggers that keep
them and behind the values of the customers who were scored before.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class AddIndex(AddIndexConcurrently):
    """A build that was interrupted leaves an invalid index of that name behind, which costs and serves no query."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(self.index.name)}")
        super().database_forwards(app_label, schema_editor, from_state, to_state)


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY

    dependencies = [("customers", "0017_outreach_and_value")]

    operations = [
        AddIndex(
            "customer",
            models.Index(
                models.F("value_at_risk").desc(nulls_last=True),
                models.F("customer_id").desc(),
                *("geography", "num_of_products", "is_active_member", "has_cr_card"),
                models.F("reason_codes__0"),
                "churn_risk_score",
                name="customer_by_value",
            ),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddConstraint(
                    "customer",
                    models.CheckConstraint(
                        condition=Q(stale_since__isnull=False)
                        | Q(churn_risk_score__isnull=True, value_at_risk__isnull=True)
                        | Q(churn_risk_score__isnull=False, value_at_risk__isnull=False),
                        name="customer_value_goes_with_score",
                    ),
                ),
                migrations.RemoveConstraint("customer", "customer_objected_means_no_score"),
                migrations.AddConstraint(
                    "customer",
                    models.CheckConstraint(
                        condition=Q(objected_at__isnull=True)
                        | Q(
                            stale_since__isnull=True,
                            churn_risk_score__isnull=True,
                            value_at_risk__isnull=True,
                            scored_version__isnull=True,
                            scored_by__isnull=True,
                            scored_at__isnull=True,
                            contributions__isnull=True,
                            reason_codes__isnull=True,
                        ),
                        name="customer_objected_means_no_score",
                    ),
                ),
            ],
        ),
    ]
