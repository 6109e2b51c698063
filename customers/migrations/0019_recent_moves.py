"""Recent moves: two new tables, so that no session waits. And exclusions by staff in the words of today."""

from django.db import migrations, models

RENAME = "UPDATE customers_scoringfailure SET error = '{}' || substr(error, {}) WHERE starts_with(error, '{} by ')"
BEFORE, AFTER = "set aside", "Excluded from scoring"


class Migration(migrations.Migration):
    dependencies = [("customers", "0018_value_at_risk")]

    operations = [
        migrations.CreateModel(
            name="MoveSearch",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("searched_at", models.DateTimeField()),
                ("took_seconds", models.FloatField()),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="move_search_has_one_row"),
                ],
            },
        ),
        migrations.CreateModel(
            name="RecentMove",
            fields=[
                ("customer_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("score_before", models.FloatField(help_text="The score that stood when the days began.")),
                (
                    "until",
                    models.DateTimeField(
                        help_text="From then on other days count, which may begin with another score."
                    ),
                ),
            ],
            options={"default_permissions": ()},
        ),
        migrations.RunSQL(
            RENAME.format(AFTER, len(BEFORE) + 1, BEFORE), RENAME.format(BEFORE, len(AFTER) + 1, AFTER), elidable=True
        ),
    ]
