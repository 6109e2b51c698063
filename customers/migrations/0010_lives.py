"""Which life of a customer id a row is of. A constant default is no rewrite of the table; each table by itself, so that
no session waits for two of them. An attempt that was cut short is simply repeated."""

import datetime

from django.db import migrations, models

LONG_AGO = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
TABLES = ("scorerecord", "unscoredversion", "scoringfailure", "customer")
CAUSES = ["created", "returned", "edited", "release", "analyze", "retry", "audit"]


def with_life(model):
    """Waits for open transactions on the table for a bounded time, since editors wait behind it."""
    return migrations.SeparateDatabaseAndState(
        state_operations=[
            migrations.AddField(
                model,
                "arrived_at",
                models.DateTimeField(
                    db_default=LONG_AGO,
                    editable=False,
                    help_text="When the customer came into the table, or came back.",
                ),
            )
        ],
        database_operations=[
            migrations.RunSQL(
                f"""SET lock_timeout = '10s';
                ALTER TABLE customers_{model} ADD COLUMN IF NOT EXISTS arrived_at timestamptz NOT NULL
                    DEFAULT '1970-01-01 00:00:00+00';
                SET lock_timeout TO DEFAULT""",
                f"ALTER TABLE customers_{model} DROP COLUMN IF EXISTS arrived_at",
            )
        ],
    )


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("customers", "0009_import_checks")]

    operations = [
        *(with_life(model) for model in TABLES),
        migrations.AlterField(
            "scorerecord",
            "cause",
            models.CharField(
                choices=[(cause, cause.capitalize()) for cause in CAUSES], db_default="", default="", max_length=8
            ),
        ),
        migrations.AlterField(
            "scorerecord",
            "previous_score",
            models.FloatField(null=True, help_text="Of a customer who came back: the last one known."),
        ),
    ]
