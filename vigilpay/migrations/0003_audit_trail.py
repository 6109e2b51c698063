"""The audit trail: who has read, changed or taken along which customers. A new table: no other is touched."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("vigilpay", "0002_service_tokens"),
    ]

    operations = [
        migrations.CreateModel(
            name="TrailEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "actor",
                    models.CharField(
                        help_text="user:<id>, token:<id>, anonymous, or command:<name> by <user of the host>.",
                        max_length=150,
                    ),
                ),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("view", "viewed"),
                            ("list", "listed"),
                            ("change", "changed"),
                            ("rescore", "had scored"),
                            ("download", "downloaded"),
                            ("report", "reported to the customer"),
                            ("erase", "erased"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "refused",
                    models.BooleanField(
                        db_default=False, default=False, help_text="The actor lacked the right; saw nothing."
                    ),
                ),
                (
                    "customer_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        help_text="All that the page named; empty where it named none.",
                        size=None,
                        verbose_name="customers",
                    ),
                ),
                (
                    "erased",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64),
                        db_default=[],
                        default=list,
                        help_text="Of customers who were erased since: the keyed hash of the id.",
                        size=None,
                    ),
                ),
                (
                    "address",
                    models.CharField(
                        help_text="The name of the address, without what was searched for.", max_length=100
                    ),
                ),
            ],
            options={
                "verbose_name": "audit trail entry",
                "verbose_name_plural": "audit trail entries",
                "ordering": ["-id"],
                "default_permissions": ("view",),
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex(
                        fastupdate=False, fields=["customer_ids"], name="trail_customers"
                    ),
                    models.Index(fields=["actor", "-id"], name="trail_actor"),
                    django.contrib.postgres.indexes.BrinIndex(fields=["at"], name="trail_time", pages_per_range=32),
                ],
            },
        ),
    ]
