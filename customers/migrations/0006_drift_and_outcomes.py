import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0005_reasons"),
    ]

    operations = [
        migrations.CreateModel(
            name="OutcomesComplete",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("until", models.DateField()),
                ("said_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="DriftCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("checked_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("reference_rows", models.PositiveIntegerField(help_text="Training customers.")),
                ("customers", models.PositiveBigIntegerField()),
                ("scores", models.PositiveBigIntegerField(help_text="Of customers who were not stale.")),
                (
                    "shifts",
                    models.JSONField(
                        help_text="Of each column: its population stability index, and the bin that moved most."
                    ),
                ),
                (
                    "release",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.modelrelease",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="Outcome",
            fields=[
                ("customer_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("left_on", models.DateField(null=True)),
                (
                    "stayed_until",
                    models.DateField(help_text="The last day on which he is known to have been a customer.", null=True),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("left_on__isnull", False), ("stayed_until__isnull", True)),
                            models.Q(("left_on__isnull", True), ("stayed_until__isnull", False)),
                            _connector="OR",
                        ),
                        name="outcome_left_or_stayed",
                    )
                ],
            },
        ),
    ]
