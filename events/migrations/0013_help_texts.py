"""Help texts say where things stand now; the tables do not change."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0012_marks_are_arrays"),
    ]

    operations = [
        migrations.AlterField(
            model_name="overview",
            name="figures",
            field=models.JSONField(help_text="See events/overview/figures.py."),
        ),
    ]
