"""Shadow scoring: three new tables, so that no session waits."""

import customers.fields
import datetime
import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0029_fairnesscheck"),
    ]

    operations = [
        migrations.CreateModel(
            name="ShadowScore",
            fields=[
                ("customer_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("run_id", models.BigIntegerField()),
                (
                    "arrived_at",
                    models.DateTimeField(
                        db_default=datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.UTC),
                        editable=False,
                        help_text="When the customer came into the table, or came back.",
                    ),
                ),
                ("version", models.BigIntegerField()),
                ("score", models.FloatField()),
                (
                    "contributions",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=customers.fields.RealField(),
                        blank=True,
                        help_text="Of the nine fields in FEATURES order, as probabilities. Empty where none were stored yet.",
                        null=True,
                        size=None,
                    ),
                ),
                (
                    "reason_codes",
                    django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), size=None),
                ),
                ("scored_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="ShadowWait",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "customer_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="ShadowRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("fingerprint", models.CharField(max_length=64)),
                ("share", models.FloatField(help_text="Of all customers, from 0 to 1; always the same ones.")),
                ("is_on", models.BooleanField(default=True)),
                ("started_by", models.CharField(max_length=150)),
                ("started_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("start_reason", models.CharField(blank=True, default="", max_length=500)),
                ("stopped_by", models.CharField(blank=True, default="", max_length=150)),
                ("stopped_at", models.DateTimeField(blank=True, null=True)),
                ("stop_reason", models.CharField(blank=True, default="", max_length=500)),
                (
                    "wording",
                    models.CharField(
                        help_text="The rules by which the reasons of its scores were chosen.", max_length=200
                    ),
                ),
                ("swept_to", models.BigIntegerField(default=0, null=True)),
                (
                    "swept_at",
                    models.DateTimeField(help_text="When the last pass through all customers ended.", null=True),
                ),
                (
                    "unscored",
                    models.PositiveBigIntegerField(
                        default=0, help_text="Customers of the last pass without an answer."
                    ),
                ),
                ("cleared_at", models.DateTimeField(help_text="When the last of its scores was deleted.", null=True)),
                ("figures", models.JSONField(help_text="The last comparison with the active model.", null=True)),
                ("compared_at", models.DateTimeField(help_text="When that was last tried.", null=True)),
                (
                    "movers",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(),
                        default=list,
                        help_text="Customers whose two scores differed most at that time.",
                        size=None,
                    ),
                ),
                (
                    "proposal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="shadow_runs",
                        to="customers.modelproposal",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_on", True)), fields=("is_on",), name="shadow_run_one_is_on"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("share__gt", 0), ("share__lte", 1)), name="shadow_run_share_is_possible"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("is_on", True), ("stopped_at__isnull", True)),
                            models.Q(("is_on", False), ("stopped_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="shadow_run_ends_once",
                    ),
                ],
            },
        ),
    ]
