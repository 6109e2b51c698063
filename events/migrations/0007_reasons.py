"""Reasons belong to the scorer, as scores do; and everybody is scored once more, so that all have theirs. Frozen."""

from importlib import import_module

from django.db import migrations

FORMER = import_module("events.migrations.0004_marks")

INSTALL = [
    """DO $install$ BEGIN EXECUTE replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_0_arrive() RETURNS trigger
LANGUAGE plpgsql
AS $body$
DECLARE
    marked text;
BEGIN
    NEW.version := 1;
    NEW.stale_since := statement_timestamp();
    NEW.edited_at := NULL;
    NEW.edited_by := left(COALESCE(NULLIF(current_setting('vigilpay.editor', true), ''), 'sql:' || session_user), 80);
    NEW.churn_risk_score := NULL;
    NEW.scored_version := NULL;
    NEW.scored_by_id := NULL;
    NEW.scored_at := NULL;
    NEW.contributions := NULL;
    NEW.reason_codes := NULL;
    IF current_setting('vigilpay.marked', true) <> '' THEN
        marked := current_setting('vigilpay.marked', true);
        IF NEW.customer_id >> split_part(marked, ' ', 1)::int <> split_part(marked, ' ', 2)::bigint THEN
            PERFORM @schema@.vigilpay_mark(NEW.customer_id, split_part(marked, ' ', 3)::int + 1);
        END IF;
        RETURN NEW;
    END IF;
    INSERT INTO @schema@.customers_stalemark (id, first_id, last_id)
    VALUES (nextval('@schema@.customers_stalemark_id_seq'), NEW.customer_id, NEW.customer_id);
    marked := set_config('vigilpay.marked', '0 ' || NEW.customer_id || ' 1', true);
    IF abs(pg_sequence_last_value('@schema@.events_awake'::regclass) - 30000
           - date_part('epoch', clock_timestamp()) * 1000) <= 30000 THEN
        NULL;
    ELSE
        NOTIFY vigilpay_stale;
    END IF;
    RETURN NEW;
END
$body$;
CREATE OR REPLACE TRIGGER vigilpay_0_arrive
BEFORE INSERT ON @schema@.customers_customer
FOR EACH ROW
EXECUTE FUNCTION @schema@.vigilpay_0_arrive();
COMMENT ON TRIGGER vigilpay_0_arrive ON @schema@.customers_customer IS '6737f87f9ff829c3d16c836358ab76f2f0834a302ddb93bec4b7ae791f75fefa';$sql$, '@schema@', quote_ident(current_schema())); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_1_guard() RETURNS trigger
LANGUAGE plpgsql
AS $body$
BEGIN
    NEW.version := OLD.version;
    NEW.stale_since := OLD.stale_since;
    NEW.edited_at := OLD.edited_at;
    NEW.edited_by := OLD.edited_by;
    NEW.churn_risk_score := OLD.churn_risk_score;
    NEW.scored_version := OLD.scored_version;
    NEW.scored_by_id := OLD.scored_by_id;
    NEW.scored_at := OLD.scored_at;
    NEW.contributions := OLD.contributions;
    NEW.reason_codes := OLD.reason_codes;
    RETURN NEW;
END
$body$;
CREATE OR REPLACE TRIGGER vigilpay_1_guard
BEFORE UPDATE OF version, stale_since, edited_at, edited_by, churn_risk_score, scored_version, scored_by_id, scored_at, contributions, reason_codes ON @schema@.customers_customer
FOR EACH ROW
WHEN (current_setting('vigilpay.scorer', true) IS DISTINCT FROM 'on')
EXECUTE FUNCTION @schema@.vigilpay_1_guard();
COMMENT ON TRIGGER vigilpay_1_guard ON @schema@.customers_customer IS '675556d49652ea48ceee41f035fb0153545115f5f6709fb62936d624a6555ca3';$sql$, '@schema@', quote_ident(current_schema())); END $install$;""",
    # The same model once more: only a new release makes all scores stale, and each has to come with its reasons.
    """
INSERT INTO customers_modelrelease (sha256, fingerprint, note, metadata)
SELECT sha256, fingerprint, 'the same model; reasons are stored from here on', metadata
FROM customers_modelrelease ORDER BY id DESC LIMIT 1
""",
]
UNINSTALL = [sql for sql in FORMER.INSTALL if "vigilpay_0_arrive" in sql or "vigilpay_1_guard" in sql]


class Migration(migrations.Migration):
    dependencies = [("customers", "0005_reasons"), ("events", "0006_worker")]
    operations = [migrations.RunSQL(INSTALL, UNINSTALL)]
