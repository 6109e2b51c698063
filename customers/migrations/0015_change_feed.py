"""The feed of changed scores: two new tables, so that no session waits. What writes into them comes with ``events``."""

import django.contrib.postgres.fields
import django.contrib.postgres.functions
import django.db.models.functions.comparison
import django.db.models.functions.datetime
from django.db import migrations, models

EPOCH = """
CREATE UNLOGGED TABLE customers_feedepoch (
    id smallint PRIMARY KEY CONSTRAINT feed_epoch_has_one_row CHECK (id = 1),
    identity varchar(100) NOT NULL,
    token uuid NOT NULL DEFAULT gen_random_uuid(),
    last_foreign_change bigint NOT NULL,
    first_transaction bigint NOT NULL,
    pruned_transaction bigint NOT NULL DEFAULT 0,
    pruned_change bigint NOT NULL DEFAULT 0
)
"""


class Migration(migrations.Migration):
    dependencies = [("customers", "0014_arrays_checksum")]

    operations = [
        migrations.CreateModel(
            name="ScoreChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "transaction_id",
                    models.BigIntegerField(
                        db_default=django.db.models.functions.comparison.Cast(
                            django.db.models.functions.comparison.Cast(
                                models.Func(function="pg_current_xact_id", output_field=models.TextField()),
                                models.TextField(),
                            ),
                            models.BigIntegerField(),
                        ),
                        editable=False,
                    ),
                ),
                (
                    "customer_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={"indexes": [models.Index(fields=["transaction_id", "id"], name="score_change_order")]},
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(EPOCH, "DROP TABLE customers_feedepoch")],
            state_operations=[
                migrations.CreateModel(
                    name="FeedEpoch",
                    fields=[
                        ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                        (
                            "identity",
                            models.CharField(
                                help_text="Of the cluster, the database and the table of changes.", max_length=100
                            ),
                        ),
                        (
                            "token",
                            models.UUIDField(
                                db_default=django.contrib.postgres.functions.RandomUUID(),
                                help_text="Begins each position of this epoch.",
                            ),
                        ),
                        (
                            "last_foreign_change",
                            models.BigIntegerField(help_text="The newest change that was there before."),
                        ),
                        (
                            "first_transaction",
                            models.BigIntegerField(help_text="The first id that no transaction had before."),
                        ),
                        ("pruned_transaction", models.BigIntegerField(db_default=0, default=0)),
                        ("pruned_change", models.BigIntegerField(db_default=0, default=0)),
                    ],
                    options={
                        "constraints": [
                            models.CheckConstraint(condition=models.Q(("id", 1)), name="feed_epoch_has_one_row")
                        ],
                    },
                ),
            ],
        ),
    ]
