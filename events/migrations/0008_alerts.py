"""Alerts, and the trigger that raises them. Frozen."""

import django.contrib.postgres.functions
import django.db.models.deletion
import django.db.models.functions.datetime
from decimal import Decimal
from django.db import migrations, models

# Waits for the scorer's open transaction and no longer: whoever comes later waits behind us.
PATIENCE = "SET LOCAL lock_timeout = '10s'"
INSTALL = [
    PATIENCE,
    """DO $install$ BEGIN EXECUTE replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_alerted() RETURNS trigger
LANGUAGE plpgsql
AS $body$
BEGIN
    IF NOT EXISTS (SELECT FROM @schema@.events_alertrule WHERE active) THEN
        RETURN NULL;
    END IF;
    BEGIN
    WITH raised AS (
        INSERT INTO @schema@.events_alert
            (rule_id, record_id, batch, customer_id, score, score_before, raised_at)
        SELECT rule.id, record.id, (SELECT max(id) FROM stored), record.customer_id, record.score,
            CASE rule.kind WHEN 'rise' THEN lowest.score ELSE record.previous_score END, record.scored_at
        FROM @schema@.events_alertrule AS rule
        JOIN stored AS record ON CASE rule.kind
            WHEN 'threshold' THEN record.score >= rule.threshold
                AND (record.previous_score IS NULL OR record.previous_score < rule.threshold)
            ELSE record.score > rule.rise AND record.score > record.previous_score END
        CROSS JOIN LATERAL (
            SELECT min(former.previous_score) AS score FROM @schema@.customers_scorerecord AS former
            WHERE rule.kind = 'rise' AND former.customer_id = record.customer_id AND former.id <= record.id
                AND former.scored_at >= record.scored_at - make_interval(days => rule.days)
                AND former.id > COALESCE((
                    SELECT max(alert.record_id) FROM @schema@.events_alert AS alert
                    WHERE alert.customer_id = record.customer_id AND alert.rule_id = rule.id), 0)
                AND (rule.counts_releases OR former.id > COALESCE((
                    SELECT max(moved.id) FROM @schema@.customers_scorerecord AS moved
                    WHERE moved.customer_id = record.customer_id AND moved.id < record.id
                        AND moved.scored_at >= record.scored_at - make_interval(days => rule.days)
                        AND (moved.previous_score IS NOT NULL AND moved.stale_since IS NULL AND moved.cause <> 'audit')), 0))
        ) AS lowest
        WHERE rule.active AND (rule.geography = '' OR rule.geography = record.geography)
            AND (rule.is_active_member IS NULL OR rule.is_active_member = record.is_active_member)
            AND (rule.num_of_products IS NULL OR rule.num_of_products = record.num_of_products)
            AND (rule.has_cr_card IS NULL OR rule.has_cr_card = record.has_cr_card)
            AND (rule.least_balance IS NULL OR rule.least_balance <= record.balance)
            AND (rule.counts_releases OR NOT (record.previous_score IS NOT NULL AND record.stale_since IS NULL AND record.cause <> 'audit'))
            AND (rule.kind = 'threshold' OR record.score - lowest.score > rule.rise)
        ON CONFLICT DO NOTHING
        RETURNING rule_id, batch
    )
    INSERT INTO @schema@.events_delivery (rule_id, channel, batch, alerts)
    SELECT rule.id, channel.name, min(raised.batch), count(*)
    FROM raised JOIN @schema@.events_alertrule AS rule ON rule.id = raised.rule_id
    CROSS JOIN LATERAL (
        SELECT 'e-mail' AS name WHERE rule.recipients <> '' UNION ALL SELECT 'webhook' WHERE rule.by_webhook
    ) AS channel
    GROUP BY rule.id, channel.name;
    EXCEPTION WHEN data_exception OR integrity_constraint_violation OR syntax_error_or_access_rule_violation
            OR raise_exception OR internal_error THEN
        RAISE WARNING 'vigilpay: scores were stored, alerts on them could not be raised: %', SQLERRM;
    END;
    RETURN NULL;
END
$body$;
CREATE OR REPLACE TRIGGER vigilpay_alerted
AFTER INSERT ON @schema@.customers_scorerecord
REFERENCING NEW TABLE AS stored
FOR EACH STATEMENT
EXECUTE FUNCTION @schema@.vigilpay_alerted();
COMMENT ON TRIGGER vigilpay_alerted ON @schema@.customers_scorerecord IS '50757b06f9c954ced66bf349f01dd76da64db89c90d87db7e6ba45819779faf4';$sql$, '@schema@', quote_ident(current_schema())); END $install$;""",
]
UNINSTALL = [
    PATIENCE,
    "DROP TRIGGER IF EXISTS vigilpay_alerted ON customers_scorerecord; DROP FUNCTION IF EXISTS vigilpay_alerted();",
]


class Migration(migrations.Migration):
    dependencies = [("customers", "0006_drift_and_outcomes"), ("events", "0007_reasons")]

    operations = [
        migrations.CreateModel(
            name="AlertRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100)),
                ("active", models.BooleanField(default=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("threshold", "the score crosses a threshold upwards"),
                            ("rise", "the score rises within some days"),
                        ],
                        max_length=9,
                        verbose_name="when",
                    ),
                ),
                (
                    "threshold",
                    models.FloatField(
                        blank=True, help_text="For a threshold. As scores are: 0.75 is a churn risk of 75%.", null=True
                    ),
                ),
                (
                    "rise",
                    models.FloatField(
                        blank=True, help_text="For a rise. By more than this: 0.3 is 30 points.", null=True
                    ),
                ),
                (
                    "days",
                    models.SmallIntegerField(
                        blank=True, help_text="For a rise: within so many, 365 at most.", null=True
                    ),
                ),
                (
                    "counts_releases",
                    models.BooleanField(
                        default=False,
                        help_text="Otherwise a score that moved only because another model was released raises nothing.",
                        verbose_name="count what only another model changed",
                    ),
                ),
                (
                    "geography",
                    models.CharField(
                        blank=True,
                        choices=[("France", "France"), ("Germany", "Germany"), ("Spain", "Spain")],
                        default="",
                        max_length=10,
                        verbose_name="country",
                    ),
                ),
                ("is_active_member", models.BooleanField(blank=True, null=True, verbose_name="active member")),
                ("num_of_products", models.SmallIntegerField(blank=True, null=True, verbose_name="products")),
                ("has_cr_card", models.BooleanField(blank=True, null=True, verbose_name="has credit card")),
                (
                    "least_balance",
                    models.DecimalField(
                        blank=True, decimal_places=2, max_digits=15, null=True, verbose_name="balance of at least"
                    ),
                ),
                (
                    "recipients",
                    models.TextField(
                        blank=True,
                        default="",
                        help_text="Addresses, separated by commas or lines. Empty: no e-mail.",
                        verbose_name="e-mail to",
                    ),
                ),
                ("by_webhook", models.BooleanField(default=False, verbose_name="call the webhook")),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
            ],
            options={
                "ordering": ["name", "id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("days__isnull", True),
                                ("kind", "threshold"),
                                ("rise__isnull", True),
                                ("threshold__gt", 0.0),
                                ("threshold__isnull", False),
                                ("threshold__lte", 1.0),
                            ),
                            models.Q(
                                ("days__isnull", False),
                                ("days__range", (1, 365)),
                                ("kind", "rise"),
                                ("rise__gt", 0.0),
                                ("rise__isnull", False),
                                ("rise__lt", 1.0),
                                ("threshold__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="alert_rule_says_when",
                        violation_error_message="A threshold rule needs a threshold above 0 and up to 1, and nothing else; a rise rule a rise between 0 and 1 and 1 to 365 days, and no threshold.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("geography__in", ["", "France", "Germany", "Spain"])),
                        name="alert_rule_country_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("num_of_products__isnull", True), ("num_of_products__range", (1, 10)), _connector="OR"
                        ),
                        name="alert_rule_products_are_possible",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("least_balance__isnull", True),
                            ("least_balance__range", (0, Decimal("9999999999999.99"))),
                            _connector="OR",
                        ),
                        name="alert_rule_balance_is_possible",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Messenger",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("called_until", models.DateTimeField()),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="messenger_has_one_row")],
            },
        ),
        migrations.CreateModel(
            name="Alert",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("record_id", models.BigIntegerField(help_text="The entry of the history that met the rule.")),
                ("batch", models.BigIntegerField(help_text="The same for all that were raised by one statement.")),
                ("customer_id", models.BigIntegerField(verbose_name="customer ID")),
                ("score", models.FloatField()),
                (
                    "score_before",
                    models.FloatField(
                        help_text="The score before; of a rise, the lowest that it is measured from. Empty: the first score.",
                        null=True,
                    ),
                ),
                ("raised_at", models.DateTimeField()),
                ("acknowledged_at", models.DateTimeField(blank=True, null=True)),
                ("acknowledged_by", models.CharField(blank=True, db_default="", default="", max_length=150)),
                ("note", models.CharField(blank=True, db_default="", default="", max_length=500)),
                (
                    "rule",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="events.alertrule",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [("acknowledge_alert", "Can acknowledge alerts")],
                "indexes": [
                    models.Index(fields=["customer_id", "rule", "-record_id"], name="alert_customer"),
                    models.Index(fields=["batch"], name="alert_batch"),
                    models.Index(
                        condition=models.Q(("acknowledged_at__isnull", True)), fields=["-id"], name="alert_open"
                    ),
                ],
                "constraints": [models.UniqueConstraint(fields=("rule", "record_id"), name="alert_once_for_a_score")],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("channel", models.CharField(choices=[("e-mail", "Email"), ("webhook", "Webhook")], max_length=7)),
                ("batch", models.BigIntegerField()),
                ("alerts", models.IntegerField(help_text="How many it tells of.")),
                (
                    "key",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(),
                        editable=False,
                        help_text="The same with every attempt.",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("folded", "told by another"),
                            ("sent", "Sent"),
                            ("given up", "Given Up"),
                        ],
                        db_default="waiting",
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("first_tried_at", models.DateTimeField(null=True)),
                (
                    "due_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name="next try"),
                ),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "error",
                    models.CharField(blank=True, db_default="", default="", max_length=500, verbose_name="last error"),
                ),
                (
                    "into",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="events.delivery",
                        verbose_name="told by",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="events.alertrule",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(condition=models.Q(("state", "waiting")), fields=["due_at"], name="delivery_due"),
                    models.Index(
                        condition=models.Q(("state", "given up")), fields=["ended_at"], name="delivery_given_up"
                    ),
                    models.Index(fields=["rule", "channel", "first_tried_at"], name="delivery_pace"),
                ],
            },
        ),
        migrations.RunSQL(INSTALL, UNINSTALL),
    ]
