import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0003_fewer_indexes"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditFinding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("customer_id", models.BigIntegerField()),
                ("stored_score", models.FloatField()),
                ("expected_score", models.FloatField(help_text="What scikit-learn says of the same row.")),
                ("version", models.BigIntegerField(help_text="The version of the customer that was audited.")),
                ("found_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("repaired_at", models.DateTimeField(help_text="When the wrong score was seen to be gone.", null=True)),
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
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("repaired_at__isnull", True)),
                        fields=("customer_id", "version"),
                        name="audit_finding_open_once",
                    )
                ],
            },
        ),
    ]
