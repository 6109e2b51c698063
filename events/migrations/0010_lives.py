"""The lives of a customer id: a row that comes back begins another, and none takes an unscored version with it. Frozen."""

from importlib import import_module

from django.db import migrations

MARKS = import_module("events.migrations.0004_marks")
ALERTS = import_module("events.migrations.0008_alerts")

INSTALL = [
    # Editors wait behind a lock that is waited for.
    "SET LOCAL lock_timeout = '10s'",
    """DO $install$ BEGIN EXECUTE replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_keep_unscored(former @schema@.customers_customer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path=pg_catalog, pg_temp
AS $body$
BEGIN
    IF pg_trigger_depth() = 0 THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: history is written by the trigger alone';
    END IF;
    INSERT INTO @schema@.customers_unscoredversion
        (customer_id, arrived_at, version, edited_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member)
    SELECT former.customer_id, former.arrived_at, former.version,
        GREATEST(former.stale_since, former.edited_at), former.edited_by,
        former.credit_score, former.geography, former.gender, former.age, former.tenure, former.balance, former.num_of_products, former.has_cr_card, former.is_active_member;
END
$body$;$sql$, '@schema@', quote_ident(current_schema())); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_3_life() RETURNS trigger
LANGUAGE plpgsql
AS $body$
BEGIN
    NEW.arrived_at := CASE WHEN NEW.customer_id = OLD.customer_id THEN OLD.arrived_at ELSE clock_timestamp() END;
    RETURN NEW;
END
$body$;
CREATE OR REPLACE TRIGGER vigilpay_3_life
BEFORE INSERT OR UPDATE OF customer_id, arrived_at ON @schema@.customers_customer
FOR EACH ROW
EXECUTE FUNCTION @schema@.vigilpay_3_life();
COMMENT ON TRIGGER vigilpay_3_life ON @schema@.customers_customer IS '54299092ebccb4871f94c2112f7e464530766bc2ca2749cd2d048523048b2c10';$sql$, '@schema@', quote_ident(current_schema())); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_leave() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path=pg_catalog, pg_temp
AS $body$
BEGIN
    IF TG_RELID <> '@schema@.customers_customer'::regclass THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: history is kept of customers alone';
    END IF;
    INSERT INTO @schema@.customers_unscoredversion
        (customer_id, arrived_at, version, edited_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member)
    SELECT former.customer_id, former.arrived_at, former.version,
        GREATEST(former.stale_since, former.edited_at), former.edited_by,
        former.credit_score, former.geography, former.gender, former.age, former.tenure, former.balance, former.num_of_products, former.has_cr_card, former.is_active_member FROM gone AS former WHERE former.stale_since IS NOT NULL;
    RETURN NULL;
END
$body$;
CREATE OR REPLACE TRIGGER vigilpay_leave
AFTER DELETE ON @schema@.customers_customer
REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT
EXECUTE FUNCTION @schema@.vigilpay_leave();
COMMENT ON TRIGGER vigilpay_leave ON @schema@.customers_customer IS '9b9af08edddf59df717f6944d4c4c12ebd5c60aac0d5b5d35ffd3c1753463746';$sql$, '@schema@', quote_ident(current_schema())); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_leave_all() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path=pg_catalog, pg_temp
AS $body$
BEGIN
    IF TG_RELID <> '@schema@.customers_customer'::regclass THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: history is kept of customers alone';
    END IF;
    INSERT INTO @schema@.customers_unscoredversion
        (customer_id, arrived_at, version, edited_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member)
    SELECT former.customer_id, former.arrived_at, former.version,
        GREATEST(former.stale_since, former.edited_at), former.edited_by,
        former.credit_score, former.geography, former.gender, former.age, former.tenure, former.balance, former.num_of_products, former.has_cr_card, former.is_active_member FROM @schema@.customers_customer AS former WHERE former.stale_since IS NOT NULL;
    RETURN NULL;
END
$body$;
CREATE OR REPLACE TRIGGER vigilpay_leave_all
BEFORE TRUNCATE ON @schema@.customers_customer
FOR EACH STATEMENT
EXECUTE FUNCTION @schema@.vigilpay_leave_all();
COMMENT ON TRIGGER vigilpay_leave_all ON @schema@.customers_customer IS '4a72c9d841f497beb3f56cd228e17777531c63d96e30545ed98f90efe71e8122';$sql$, '@schema@', quote_ident(current_schema())); END $install$;""",
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
                        AND (moved.previous_score IS NOT NULL AND moved.cause <> 'audit'
            AND (moved.stale_since IS NULL OR moved.cause = 'release'))), 0))
        ) AS lowest
        WHERE rule.active AND (rule.geography = '' OR rule.geography = record.geography)
            AND (rule.is_active_member IS NULL OR rule.is_active_member = record.is_active_member)
            AND (rule.num_of_products IS NULL OR rule.num_of_products = record.num_of_products)
            AND (rule.has_cr_card IS NULL OR rule.has_cr_card = record.has_cr_card)
            AND (rule.least_balance IS NULL OR rule.least_balance <= record.balance)
            AND (rule.counts_releases OR NOT (record.previous_score IS NOT NULL AND record.cause <> 'audit'
            AND (record.stale_since IS NULL OR record.cause = 'release')))
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
COMMENT ON TRIGGER vigilpay_alerted ON @schema@.customers_scorerecord IS 'eafb446c52eeff88725a3dd8ee2dc9b24b4dd882687878c446825c7ccc4736cc';$sql$, '@schema@', quote_ident(current_schema())); END $install$;""",
]
UNINSTALL = [
    "SET LOCAL lock_timeout = '10s'",
    "DROP TRIGGER vigilpay_3_life ON customers_customer; DROP FUNCTION vigilpay_3_life()",
    "DROP TRIGGER vigilpay_leave ON customers_customer; DROP FUNCTION vigilpay_leave()",
    "DROP TRIGGER vigilpay_leave_all ON customers_customer; DROP FUNCTION vigilpay_leave_all()",
    *(sql for sql in MARKS.INSTALL if "FUNCTION @schema@.vigilpay_keep_unscored" in sql),
    *(sql for sql in ALERTS.INSTALL if "FUNCTION @schema@.vigilpay_alerted" in sql),
]


class Migration(migrations.Migration):
    dependencies = [("customers", "0010_lives"), ("events", "0009_overview")]
    operations = [migrations.RunSQL(INSTALL, UNINSTALL)]
