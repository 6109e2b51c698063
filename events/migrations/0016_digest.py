"""One row for each digest. A new table: no other is touched."""

import django.contrib.postgres.functions
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0015_value_at_risk"),
    ]

    operations = [
        migrations.CreateModel(
            name="Digest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[("daily", "Daily"), ("weekly", "Weekly")], max_length=6)),
                ("first_day", models.DateField(help_text="Of the period, in the bank's time zone.")),
                (
                    "key",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(),
                        editable=False,
                        help_text="The same with every attempt.",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("sent", "Sent"), ("given up", "Given up")],
                        db_default="waiting",
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "due_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="next attempt"
                    ),
                ),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "error",
                    models.CharField(blank=True, db_default="", default="", max_length=500, verbose_name="last error"),
                ),
            ],
            options={
                "ordering": ["-first_day", "kind"],
                "constraints": [models.UniqueConstraint(fields=("kind", "first_day"), name="digest_once_for_a_period")],
            },
        ),
    ]
