"""Indexes that every score and every edit paid for; marks have taken their place. Concurrently: nobody waits."""

import django.db.models.deletion
from django.contrib.postgres.indexes import BrinIndex
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

# The names that Django gave to the indexes of the two keys.
OF_CUSTOMER = "customers_customer_scored_by_id_1845064b"
OF_RECORD = "customers_scorerecord_scored_by_id_0db1bec7"


def release_key(**options):
    return models.ForeignKey(
        db_constraint=False,
        db_index=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to="customers.modelrelease",
        **options,
    )


def without_index(model, index, field):
    """Forget the index in Django's picture of the model, and drop it without stopping anybody."""
    return migrations.SeparateDatabaseAndState(
        state_operations=[migrations.AlterField(model, "scored_by", field)],
        database_operations=[
            migrations.RunSQL(
                f"DROP INDEX CONCURRENTLY IF EXISTS {index}",
                f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {index} ON customers_{model} (scored_by_id)",
            )
        ],
    )


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY

    dependencies = [("customers", "0002_engine")]

    operations = [
        RemoveIndexConcurrently("customer", "customer_stale"),
        without_index("customer", OF_CUSTOMER, release_key(editable=False, null=True)),
        without_index("scorerecord", OF_RECORD, release_key()),
        AddIndexConcurrently(
            "scorerecord", BrinIndex(fields=["scored_at"], name="score_record_time", pages_per_range=32)
        ),
    ]
