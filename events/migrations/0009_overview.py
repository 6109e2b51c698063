from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0008_alerts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Overview",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("counted_at", models.DateTimeField(help_text="All figures are of this moment.")),
                ("took_seconds", models.FloatField(help_text="What the count cost.")),
                ("asked_at", models.DateTimeField(help_text="When a worker was last asked to count anew.", null=True)),
                ("figures", models.JSONField(help_text="See events/figures.py.")),
            ],
            options={
                "verbose_name_plural": "overview",
                "default_permissions": ("view",),
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="overview_has_one_row")],
            },
        ),
    ]
