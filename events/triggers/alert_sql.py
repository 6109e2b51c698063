"""SQL of the trigger that holds scores against the rules of alerts when they have been stored.

One statement for all scores of a batch and all rules. Nothing here waits for a lock: rules are read, alerts and
messages appended; the unique key of an alert holds the id of a record that no other transaction can have.
"""

from events.triggers.sql import ORIGIN, RECORDS, Trigger

STORED = "stored"  # the transition table: the records of the statement

# The score moved though the values are the same: another model gave it. Who came back is stale in any case, with or
# without other values: the cause tells. What an audit repairs was no one's model's score.
MOVED_BY_THE_MODEL = """({0}.previous_score IS NOT NULL AND {0}.cause <> 'audit'
            AND ({0}.stale_since IS NULL OR {0}.cause = 'release'))"""

IN_SEGMENT = """(rule.geography = '' OR rule.geography = record.geography)
            AND (rule.is_active_member IS NULL OR rule.is_active_member = record.is_active_member)
            AND (rule.num_of_products IS NULL OR rule.num_of_products = record.num_of_products)
            AND (rule.has_cr_card IS NULL OR rule.has_cr_card = record.has_cr_card)
            AND (rule.least_balance IS NULL OR rule.least_balance <= record.balance)"""

# The lowest score that stood within the days: every record names the one before it, which stood until then. Measured
# anew after an alert of this rule and, where models don't count, after a score that only a model moved.
LOWEST = f"""SELECT min(former.previous_score) AS score FROM @schema@.customers_scorerecord AS former
            WHERE rule.kind = 'rise' AND former.customer_id = record.customer_id AND former.id <= record.id
                AND former.scored_at >= record.scored_at - make_interval(days => rule.days)
                AND former.id > COALESCE((
                    SELECT max(alert.record_id) FROM @schema@.events_alert AS alert
                    WHERE alert.customer_id = record.customer_id AND alert.rule_id = rule.id), 0)
                AND (rule.counts_releases OR former.id > COALESCE((
                    SELECT max(moved.id) FROM @schema@.customers_scorerecord AS moved
                    WHERE moved.customer_id = record.customer_id AND moved.id < record.id
                        AND moved.scored_at >= record.scored_at - make_interval(days => rule.days)
                        AND {MOVED_BY_THE_MODEL.format("moved")}), 0))"""

RAISE = f"""WITH raised AS (
        INSERT INTO @schema@.events_alert
            (rule_id, record_id, batch, customer_id, score, score_before, raised_at)
        SELECT rule.id, record.id, (SELECT max(id) FROM {STORED}), record.customer_id, record.score,
            CASE rule.kind WHEN 'rise' THEN lowest.score ELSE record.previous_score END, record.scored_at
        FROM @schema@.events_alertrule AS rule
        JOIN {STORED} AS record ON CASE rule.kind
            WHEN 'threshold' THEN record.score >= rule.threshold
                AND (record.previous_score IS NULL OR record.previous_score < rule.threshold)
            ELSE record.score > rule.rise AND record.score > record.previous_score END
        CROSS JOIN LATERAL (
            {LOWEST}
        ) AS lowest
        WHERE rule.active AND {IN_SEGMENT}
            AND (rule.counts_releases OR NOT {MOVED_BY_THE_MODEL.format("record")})
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
    GROUP BY rule.id, channel.name;"""

# The scores are worth more than the alerts: what can only fail again is said in PostgreSQL's log and left. What may
# pass (a lock, a full disk, a lost connection) fails the batch as ever, which is then scored and compared once more.
BODY = f"""
BEGIN
    IF NOT EXISTS (SELECT FROM @schema@.events_alertrule WHERE active) THEN
        RETURN NULL;
    END IF;
    BEGIN
    {RAISE}
    EXCEPTION WHEN data_exception OR integrity_constraint_violation OR syntax_error_or_access_rule_violation
            OR raise_exception OR internal_error THEN
        RAISE WARNING 'vigilpay: scores were stored, alerts on them could not be raised: %', SQLERRM;
    END;
    RETURN NULL;
END
"""

# Alerts are stored with the score that they report, or not at all: docs/decisions/0019-alerts.md.
ALERTED = Trigger(
    name="vigilpay_alerted",
    event="AFTER INSERT",
    table=RECORDS,
    level="STATEMENT",
    transition=f"\nREFERENCING NEW TABLE AS {STORED}",
    fires=ORIGIN,  # what is replicated was reported where it was stored
    body=BODY,
)
