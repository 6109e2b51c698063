"""Help texts say where things stand now; the tables do not change."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0012_marks_are_arrays"),
    ]

    operations = [
        migrations.AlterField(
            model_name="customer",
            name="reason_codes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.SmallIntegerField(),
                blank=True,
                editable=False,
                help_text="The top reasons for the score, first things first: numbers of ml_service/reasons/reason_codes.py.",
                null=True,
                size=None,
            ),
        ),
        migrations.AlterField(
            model_name="outcome",
            name="stayed_until",
            field=models.DateField(help_text="The last day on which they were known to be a customer.", null=True),
        ),
    ]
