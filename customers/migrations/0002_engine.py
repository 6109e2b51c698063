"""Marks for stale customers, what a score answered and why it was made, failures of the scorer."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


MARKS = """
ALTER TABLE customers_stalemark SET UNLOGGED;
CREATE UNLOGGED SEQUENCE customers_stalemark_id_seq OWNED BY customers_stalemark.id;
-- A crash of the database empties unlogged tables and sets unlogged sequences back: this one says whether it did.
CREATE UNLOGGED SEQUENCE customers_stalemark_intact OWNED BY customers_stalemark.id;
-- Whoever may edit customers must be able to leave a mark. It is a hint: there is nothing to hide, or to forge.
GRANT INSERT ON customers_stalemark TO PUBLIC;
GRANT USAGE ON SEQUENCE customers_stalemark_id_seq TO PUBLIC;
"""
DROP_MARKS = """
DROP SEQUENCE customers_stalemark_id_seq, customers_stalemark_intact;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="ScoringFailure",
            fields=[
                ("customer_id", models.BigIntegerField(primary_key=True, serialize=False, verbose_name="customer ID")),
                ("version", models.BigIntegerField()),
                ("attempts", models.PositiveSmallIntegerField()),
                ("error", models.CharField(max_length=500)),
                ("first_failed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("last_failed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("retry_at", models.DateTimeField(help_text="Empty: set aside.", null=True)),
            ],
            options={
                "ordering": ["-last_failed_at"],
            },
        ),
        migrations.CreateModel(
            name="StaleMark",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("first_id", models.BigIntegerField()),
                ("last_id", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="UnscoredVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("credit_score", models.SmallIntegerField()),
                (
                    "geography",
                    models.CharField(
                        choices=[("France", "France"), ("Germany", "Germany"), ("Spain", "Spain")], max_length=10
                    ),
                ),
                ("gender", models.CharField(choices=[("Female", "Female"), ("Male", "Male")], max_length=6)),
                ("age", models.SmallIntegerField(help_text="Years.")),
                ("tenure", models.SmallIntegerField(help_text="Years with the bank.")),
                ("balance", models.DecimalField(decimal_places=2, max_digits=15)),
                ("num_of_products", models.SmallIntegerField(verbose_name="products")),
                ("has_cr_card", models.BooleanField(verbose_name="has credit card")),
                ("is_active_member", models.BooleanField(verbose_name="active member")),
                (
                    "edited_by",
                    models.CharField(
                        db_default="",
                        default="",
                        editable=False,
                        help_text="django, django:<id of the user>, or sql:<role>; empty for a customer who came with these values.",
                        max_length=80,
                    ),
                ),
                ("customer_id", models.BigIntegerField()),
                ("version", models.BigIntegerField()),
                ("edited_at", models.DateTimeField(help_text="When the customer came to these values.")),
            ],
        ),
        migrations.AddField(
            model_name="customer",
            name="edited_at",
            field=models.DateTimeField(
                editable=False, help_text="When a row that was stale already was edited again.", null=True
            ),
        ),
        migrations.AddField(
            model_name="customer",
            name="edited_by",
            field=models.CharField(
                db_default="",
                default="",
                editable=False,
                help_text="django, django:<id of the user>, or sql:<role>; empty for a customer who came with these values.",
                max_length=80,
            ),
        ),
        migrations.AddField(
            model_name="scorerecord",
            name="age",
            field=models.SmallIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="scorerecord",
            name="balance",
            field=models.DecimalField(decimal_places=2, max_digits=15, null=True),
        ),
        migrations.AddField(
            model_name="scorerecord",
            name="cause",
            field=models.CharField(
                choices=[
                    ("created", "Created"),
                    ("edited", "Edited"),
                    ("release", "Release"),
                    ("analyze", "Analyze"),
                    ("retry", "Retry"),
                    ("audit", "Audit"),
                ],
                db_default="",
                default="",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="scorerecord",
            name="credit_score",
            field=models.SmallIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="scorerecord",
            name="edited_at",
            field=models.DateTimeField(help_text="When the newest change that this score answers was made.", null=True),
        ),
        migrations.AddField(
            model_name="scorerecord",
            name="edited_by",
            field=models.CharField(db_default="", default="", help_text="As in Behaviour.", max_length=80),
        ),
        migrations.AddField(
            model_name="scorerecord",
            name="gender",
            field=models.CharField(db_default="", default="", max_length=6),
        ),
        migrations.AddField(
            model_name="scorerecord",
            name="geography",
            field=models.CharField(db_default="", default="", max_length=10),
        ),
        migrations.AddField(
            model_name="scorerecord",
            name="has_cr_card",
            field=models.BooleanField(null=True),
        ),
        migrations.AddField(
            model_name="scorerecord",
            name="is_active_member",
            field=models.BooleanField(null=True),
        ),
        migrations.AddField(
            model_name="scorerecord",
            name="num_of_products",
            field=models.SmallIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="scorerecord",
            name="tenure",
            field=models.SmallIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name="scorerecord",
            name="stale_since",
            field=models.DateTimeField(help_text="When the oldest change that this score answers was made.", null=True),
        ),
        migrations.AddField(
            model_name="scoringfailure",
            name="release",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="customers.modelrelease",
            ),
        ),
        migrations.AddIndex(
            model_name="unscoredversion",
            index=models.Index(fields=["customer_id", "-id"], name="unscored_version_customer"),
        ),
        migrations.RunSQL(MARKS, DROP_MARKS),
    ]
