"""Departures, and objections in former versions: what a list of the past is made of. Two new tables, and a column
without a default, so that no session waits. What writes into them comes with ``events``.
"""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.db import migrations, models

RANGE = "int8range(%(expressions)s[1] - 1, %(expressions)s[cardinality(%(expressions)s)])"


class Migration(migrations.Migration):
    dependencies = [("customers", "0024_more_terms")]

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
        migrations.AddField(
            model_name="unscoredversion",
            name="objected_at",
            field=models.DateTimeField(
                help_text="Of the objection to profiling that stood in this version.", null=True
            ),
        ),
    ]
