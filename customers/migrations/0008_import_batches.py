import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0007_list_indexes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="RescoreRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "customer_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                ("asked_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.AlterModelOptions(
            name="customer",
            options={
                "permissions": [
                    ("rescore_customer", "Can have customers rescored, set them aside and requeue them"),
                    ("export_customer", "Can export customers to a file"),
                ]
            },
        ),
        migrations.CreateModel(
            name="ImportBatch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("file_name", models.CharField(max_length=200, verbose_name="file")),
                ("file_bytes", models.PositiveBigIntegerField(verbose_name="bytes")),
                ("sha256", models.CharField(max_length=64, verbose_name="SHA-256")),
                ("uploaded_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("confirmed_at", models.DateTimeField(null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("uploaded", "being checked"),
                            ("refused", "refused"),
                            ("checked", "checked, nothing imported yet"),
                            ("confirmed", "being imported"),
                            ("stopped", "stopped half-way"),
                            ("imported", "imported"),
                            ("cancelled", "cancelled"),
                        ],
                        db_default="uploaded",
                        default="uploaded",
                        max_length=10,
                    ),
                ),
                ("state_since", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "attempts",
                    models.PositiveSmallIntegerField(
                        db_default=0, default=0, help_text="That came to nothing, in a row."
                    ),
                ),
                (
                    "message",
                    models.CharField(
                        blank=True, db_default="", default="", help_text="Why it went no further.", max_length=1000
                    ),
                ),
                ("new", models.PositiveIntegerField(null=True)),
                ("changed", models.PositiveIntegerField(null=True)),
                ("unchanged", models.PositiveIntegerField(null=True)),
                ("rejected", models.PositiveIntegerField(null=True)),
                (
                    "notes",
                    models.JSONField(
                        default=list, help_text="Ignored columns, and why rows were rejected, as lines for a person."
                    ),
                ),
                (
                    "stored_up_to",
                    models.BigIntegerField(
                        db_default=0, default=0, help_text="The customer ID that the import has reached."
                    ),
                ),
                ("stored_new", models.PositiveIntegerField(db_default=0, default=0)),
                ("stored_changed", models.PositiveIntegerField(db_default=0, default=0)),
                ("stored_rows", models.PositiveIntegerField(db_default=0, default=0)),
                (
                    "confirmed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "uploaded_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "import",
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="ImportPiece",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("of", models.CharField(choices=[("file", "File"), ("rejects", "Rejects")], max_length=7)),
                ("number", models.PositiveIntegerField()),
                ("content", models.BinaryField()),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="pieces",
                        to="customers.importbatch",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="importbatch",
            index=models.Index(
                condition=models.Q(("state__in", ["uploaded", "confirmed"])), fields=["id"], name="import_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="importpiece",
            constraint=models.UniqueConstraint(fields=("batch", "of", "number"), name="import_piece_once"),
        ),
    ]
