"""A customer's objection to being scored, and why a customer is excluded from scoring.

No table is rewritten: the columns are empty, or have a constant default. Constraints are added for new rows first and
held against the others afterwards, when editors go on. Locks are asked for with little patience, again and again, so
that editors who wait behind this wait no longer than that; an attempt that was cut short is simply repeated. Going back
forgets the objections: the code of that time has no place for them.
"""

import datetime

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Q

PATIENTLY = """DO $patiently$ BEGIN
    SET LOCAL lock_timeout = '500ms';
    FOR attempt IN 1..60 LOOP
        BEGIN
            {};
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            PERFORM pg_sleep(0.5);
        END;
    END LOOP;
    RAISE lock_not_available USING MESSAGE = 'A table of the customers is in use: a transaction holds it for minutes. '
        'Nothing was changed; end that transaction, or migrate when no large edit is running.';
END $patiently$"""

SCORED = "churn_risk_score IS NOT NULL AND scored_version = version AND scored_version IS NOT NULL"
NO_SCORE = """stale_since IS NULL AND churn_risk_score IS NULL AND scored_version IS NULL AND scored_by_id IS NULL
        AND scored_at IS NULL AND contributions IS NULL AND reason_codes IS NULL"""
ADD = PATIENTLY.format(f"""ALTER TABLE customers_customer
    ADD COLUMN IF NOT EXISTS objected_at timestamptz,
    DROP CONSTRAINT IF EXISTS customer_current_means_scored,
    DROP CONSTRAINT IF EXISTS customer_objected_means_no_score,
    ADD CONSTRAINT customer_current_means_scored CHECK (
        objected_at IS NOT NULL OR stale_since IS NOT NULL OR ({SCORED})) NOT VALID,
    DROP CONSTRAINT IF EXISTS customer_objected_at_is_possible,
    ADD CONSTRAINT customer_objected_means_no_score CHECK (objected_at IS NULL OR ({NO_SCORE})) NOT VALID,
    ADD CONSTRAINT customer_objected_at_is_possible CHECK (
        objected_at IS NULL OR objected_at BETWEEN '1900-01-01 00:00:00+00' AND '9999-01-01 00:00:00+00') NOT VALID""")
VALIDATE = """ALTER TABLE customers_customer VALIDATE CONSTRAINT customer_current_means_scored;
ALTER TABLE customers_customer VALIDATE CONSTRAINT customer_objected_means_no_score;
ALTER TABLE customers_customer VALIDATE CONSTRAINT customer_objected_at_is_possible"""
TAKE_AWAY = [
    PATIENTLY.format(f"""ALTER TABLE customers_customer
    DROP CONSTRAINT IF EXISTS customer_current_means_scored,
    DROP CONSTRAINT IF EXISTS customer_objected_means_no_score,
    DROP CONSTRAINT IF EXISTS customer_objected_at_is_possible,
    DROP COLUMN IF EXISTS objected_at,
    ADD CONSTRAINT customer_current_means_scored CHECK (stale_since IS NOT NULL OR ({SCORED})) NOT VALID"""),
    "ALTER TABLE customers_customer VALIDATE CONSTRAINT customer_current_means_scored",
]

ADD_REASON = PATIENTLY.format(
    "ALTER TABLE customers_scoringfailure ADD COLUMN IF NOT EXISTS reason varchar(9) NOT NULL DEFAULT 'model'"
)
# What staff have set aside was told from the model's failures by its text alone.
TELL_STAFF_APART = """UPDATE customers_scoringfailure SET reason = 'person'
WHERE attempts = 0 AND retry_at IS NULL AND error LIKE 'set aside by %'"""
TAKE_REASON_AWAY = PATIENTLY.format("ALTER TABLE customers_scoringfailure DROP COLUMN IF EXISTS reason")

POSSIBLE_TIMES = (
    datetime.datetime(1900, 1, 1, tzinfo=datetime.UTC),
    datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC),
)
HAS_OBJECTED = Q(objected_at__isnull=False)
CAUSES = ["created", "returned", "resumed", "edited", "release", "analyze", "retry", "audit"]


class AddIndex(AddIndexConcurrently):
    """A build that was interrupted leaves an invalid index of that name behind, which costs and serves no query."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(self.index.name)}")
        super().database_forwards(app_label, schema_editor, from_state, to_state)


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY, and so that a lock is held for one step alone

    dependencies = [("customers", "0015_change_feed")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(
                    "customer",
                    "objected_at",
                    models.DateTimeField(
                        editable=False,
                        help_text="When the customer objected to profiling (GDPR, Article 21). While this is set there is "
                        "no score.",
                        null=True,
                    ),
                ),
                migrations.RemoveConstraint("customer", "customer_current_means_scored"),
                migrations.AddConstraint(
                    "customer",
                    models.CheckConstraint(
                        condition=HAS_OBJECTED
                        | Q(stale_since__isnull=False)
                        | Q(churn_risk_score__isnull=False, scored_version__isnull=False, scored_version=F("version")),
                        name="customer_current_means_scored",
                    ),
                ),
                migrations.AddConstraint(
                    "customer",
                    models.CheckConstraint(
                        condition=Q(objected_at__isnull=True)
                        | Q(
                            stale_since__isnull=True,
                            churn_risk_score__isnull=True,
                            scored_version__isnull=True,
                            scored_by__isnull=True,
                            scored_at__isnull=True,
                            contributions__isnull=True,
                            reason_codes__isnull=True,
                        ),
                        name="customer_objected_means_no_score",
                    ),
                ),
                migrations.AddConstraint(
                    "customer",
                    models.CheckConstraint(
                        condition=Q(objected_at__isnull=True) | Q(objected_at__range=POSSIBLE_TIMES),
                        name="customer_objected_at_is_possible",
                    ),
                ),
            ],
            database_operations=[
                migrations.RunSQL(ADD, TAKE_AWAY),
                migrations.RunSQL(VALIDATE, migrations.RunSQL.noop),
            ],
        ),
        AddIndex("customer", models.Index("customer_id", condition=HAS_OBJECTED, name="customer_objected")),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(
                    "scoringfailure",
                    "reason",
                    models.CharField(
                        choices=[("model", "the model has no answer"), ("person", "excluded by staff")],
                        db_default="model",
                        default="model",
                        max_length=9,
                    ),
                ),
            ],
            database_operations=[
                migrations.RunSQL(ADD_REASON, TAKE_REASON_AWAY),
                migrations.RunSQL(TELL_STAFF_APART, migrations.RunSQL.noop),
            ],
        ),
        migrations.AlterModelOptions(
            "customer",
            options={
                "permissions": [
                    ("rescore_customer", "Can have customers rescored, set them aside and requeue them"),
                    ("export_customer", "Can export customers to a file"),
                    ("record_objection", "Can record and withdraw objections to profiling"),
                ]
            },
        ),
        migrations.AlterField(
            "scorerecord",
            "cause",
            models.CharField(
                choices=[(cause, cause.capitalize()) for cause in CAUSES], db_default="", default="", max_length=8
            ),
        ),
    ]
