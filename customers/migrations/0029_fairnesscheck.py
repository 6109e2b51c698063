import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0028_lists_of_the_past"),
    ]

    operations = [
        migrations.CreateModel(
            name="FairnessCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("checked_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "thresholds",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.FloatField(), help_text="Where risk bands began.", size=None
                    ),
                ),
                ("customers", models.PositiveBigIntegerField(help_text="With an up-to-date score.")),
                ("groups", models.JSONField(help_text="By field and group: figures of the current scores.")),
                (
                    "first_day",
                    models.DateField(help_text="From when leaving counted; scores are those before.", null=True),
                ),
                ("last_day", models.DateField(null=True)),
                (
                    "judged_groups",
                    models.JSONField(default=dict, help_text="As above, of scores whose outcomes are known."),
                ),
                ("no_outcomes", models.TextField(default="", help_text="Why no outcomes were used.")),
                (
                    "judged_release",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.modelrelease",
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
                "default_permissions": (),
            },
        ),
    ]
