"""What Django knows of the marks. The table is changed by the same-named migration of ``events``, together with the
triggers that write into it: no edit may come in between.
"""

import django.contrib.postgres.fields
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0011_list_indexes_as_declared"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.DeleteModel(name="StaleMark"),
                migrations.CreateModel(
                    name="StaleMark",
                    fields=[
                        (
                            "due_at",
                            models.DateTimeField(default=django.utils.timezone.now, primary_key=True, serialize=False),
                        ),
                        ("kind", models.SmallIntegerField()),
                        (
                            "ids",
                            django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                        ),
                    ],
                    options={
                        "indexes": [models.Index(fields=["kind", "due_at"], name="stale_mark_order")],
                    },
                ),
            ],
        ),
    ]
