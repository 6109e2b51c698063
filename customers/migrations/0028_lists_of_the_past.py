"""Departures, and objections in former versions: what a list of the past is made of. Two new tables, and a column
without a default. What writes into them comes with ``events``.

The column's lock is asked for with little patience, again and again, and last: it is held for a moment. One
transaction, so that nothing is left of an attempt that was cut short.
"""

from importlib import import_module

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.db import migrations, models

PATIENTLY = import_module("customers.migrations.0025_open_categories").PATIENTLY
ADD_COLUMN = PATIENTLY.format("ALTER TABLE customers_unscoredversion ADD COLUMN IF NOT EXISTS objected_at timestamptz")
DROP_COLUMN = PATIENTLY.format("ALTER TABLE customers_unscoredversion DROP COLUMN IF EXISTS objected_at")

RANGE = "int8range(%(expressions)s[1] - 1, %(expressions)s[cardinality(%(expressions)s)])"


class Migration(migrations.Migration):
    dependencies = [("customers", "0027_external_id")]

    operations = [
        migrations.CreateModel(
            name="Departure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("left_at", models.DateTimeField()),
                (
                    "customer_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                (
                    "arrived_ats",
                    django.contrib.postgres.fields.ArrayField(base_field=models.DateTimeField(), size=None),
                ),
            ],
            options={
                "default_permissions": (),
                "indexes": [
                    django.contrib.postgres.indexes.GistIndex(
                        models.Func("customer_ids", template=RANGE), name="departure_customers"
                    ),
                    django.contrib.postgres.indexes.BrinIndex(
                        fields=["left_at"], name="departure_time", pages_per_range=32
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="HistoryExtent",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                (
                    "complete_since",
                    models.DateTimeField(
                        help_text="When departures were first recorded, or up to when history was deleted since."
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="history_extent_has_one_row")
                ],
            },
        ),
        migrations.RunSQL(
            ADD_COLUMN,
            DROP_COLUMN,
            state_operations=[
                migrations.AddField(
                    "unscoredversion",
                    "objected_at",
                    models.DateTimeField(
                        help_text="Of the objection to profiling that stood in this version.", null=True
                    ),
                )
            ],
        ),
    ]
