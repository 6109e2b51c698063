"""The daily snapshots of the portfolio. A new table: no other is touched."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0019_recent_moves"),
    ]

    operations = [
        migrations.CreateModel(
            name="PortfolioSnapshot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(help_text="In the bank's time zone.")),
                ("taken_at", models.DateTimeField()),
                (
                    "dimension",
                    models.CharField(
                        choices=[
                            ("all", "All customers"),
                            ("country", "Country"),
                            ("products", "Products"),
                            ("activity", "Active member"),
                            ("balance", "Balance"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "group",
                    models.CharField(
                        blank=True,
                        help_text="A value of that field; of the balance the lower bound of the class, or 'none' for no balance.",
                        max_length=100,
                    ),
                ),
                ("customers", models.PositiveBigIntegerField()),
                (
                    "bands",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveBigIntegerField(),
                        help_text="Scored customers of each risk band, lowest first.",
                        size=None,
                    ),
                ),
                (
                    "thresholds",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(),
                        help_text="From which risk on a band began, without the lowest.",
                        size=None,
                    ),
                ),
                ("value_at_risk", models.DecimalField(decimal_places=2, max_digits=24)),
            ],
            options={
                "verbose_name": "portfolio",
                "verbose_name_plural": "portfolio",
                "ordering": ["-day", "dimension", "group"],
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("day", "dimension", "group"), name="portfolio_snapshot_group_once_a_day"
                    )
                ],
            },
        ),
    ]
