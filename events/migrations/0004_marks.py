"""Marks for stale customers instead of an index; who edited; releases that mark everybody. Frozen."""

from importlib import import_module

from django.db import migrations

FORMER = import_module("events.migrations.0002_triggers")

INSTALL = [
    "CREATE UNLOGGED SEQUENCE events_awake OWNED BY events_watch.awake_until",
    "GRANT SELECT ON events_awake TO PUBLIC",
    """DO $install$ BEGIN EXECUTE replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_mark(edited bigint, marks integer) RETURNS void
LANGUAGE plpgsql
AS $body$
DECLARE
    bits integer := CASE WHEN marks <= 8 THEN 0
        ELSE LEAST(10 + 2 * ((marks - 9) / 64), 63) END;
BEGIN
    INSERT INTO @schema@.customers_stalemark (id, first_id, last_id) VALUES (
        nextval('@schema@.customers_stalemark_id_seq') + CASE WHEN bits = 0 THEN 0 ELSE 2305843009213693952 END,
        (edited >> bits) << bits, ((edited >> bits) << bits) | (9223372036854775807 >> (63 - bits)));
    PERFORM set_config('vigilpay.marked', bits || ' ' || (edited >> bits) || ' ' || marks, true);
    IF abs(pg_sequence_last_value('@schema@.events_awake'::regclass) - 30000
           - date_part('epoch', clock_timestamp()) * 1000) <= 30000 THEN
        NULL;
    ELSE
        NOTIFY vigilpay_stale;
    END IF;
END
$body$;$sql$, '@schema@', quote_ident(current_schema())); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_keep_unscored(former @schema@.customers_customer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path=pg_catalog, pg_temp
AS $body$
BEGIN
    IF pg_trigger_depth() = 0 THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: history is written by the trigger alone';
    END IF;
    INSERT INTO @schema@.customers_unscoredversion
        (customer_id, version, edited_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member)
    VALUES (former.customer_id, former.version, GREATEST(former.stale_since, former.edited_at), former.edited_by,
        former.credit_score, former.geography, former.gender, former.age, former.tenure, former.balance, former.num_of_products, former.has_cr_card, former.is_active_member);
END
$body$;$sql$, '@schema@', quote_ident(current_schema())); END $install$;""",
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
COMMENT ON TRIGGER vigilpay_0_arrive ON @schema@.customers_customer IS '35b0b67b14c826f068cefa9033f77850d82359e808a271be49201e3ee066851c';$sql$, '@schema@', quote_ident(current_schema())); END $install$;""",
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
    RETURN NEW;
END
$body$;
CREATE OR REPLACE TRIGGER vigilpay_1_guard
BEFORE UPDATE OF version, stale_since, edited_at, edited_by, churn_risk_score, scored_version, scored_by_id, scored_at ON @schema@.customers_customer
FOR EACH ROW
WHEN (current_setting('vigilpay.scorer', true) IS DISTINCT FROM 'on')
EXECUTE FUNCTION @schema@.vigilpay_1_guard();
COMMENT ON TRIGGER vigilpay_1_guard ON @schema@.customers_customer IS 'a1d4cbbef3690b9d7363a6008f428079a866b38af9e510f712ef45721cf231e6';$sql$, '@schema@', quote_ident(current_schema())); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_2_stamp() RETURNS trigger
LANGUAGE plpgsql
AS $body$
DECLARE
    marked text;
BEGIN
    IF NOT (OLD.customer_id IS DISTINCT FROM NEW.customer_id
       OR OLD.credit_score IS DISTINCT FROM NEW.credit_score
       OR OLD.geography IS DISTINCT FROM NEW.geography
       OR OLD.gender IS DISTINCT FROM NEW.gender
       OR OLD.age IS DISTINCT FROM NEW.age
       OR OLD.tenure IS DISTINCT FROM NEW.tenure
       OR OLD.balance IS DISTINCT FROM NEW.balance
       OR OLD.num_of_products IS DISTINCT FROM NEW.num_of_products
       OR OLD.has_cr_card IS DISTINCT FROM NEW.has_cr_card
       OR OLD.is_active_member IS DISTINCT FROM NEW.is_active_member) THEN
        RETURN NEW;
    END IF;
    IF OLD.stale_since IS NULL THEN
        NEW.stale_since := statement_timestamp();
    ELSE
        NEW.edited_at := statement_timestamp();
        PERFORM @schema@.vigilpay_keep_unscored(OLD);
    END IF;
    NEW.version := OLD.version + 1;
    NEW.edited_by := left(COALESCE(NULLIF(current_setting('vigilpay.editor', true), ''), 'sql:' || session_user), 80);
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
CREATE OR REPLACE TRIGGER vigilpay_2_stamp
BEFORE UPDATE OF customer_id, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member ON @schema@.customers_customer
FOR EACH ROW
EXECUTE FUNCTION @schema@.vigilpay_2_stamp();
COMMENT ON TRIGGER vigilpay_2_stamp ON @schema@.customers_customer IS '0a171adc0854daa839f1152ad8e47b76f0838dcbed98359b3b269ad46ce15dcf';$sql$, '@schema@', quote_ident(current_schema())); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_released() RETURNS trigger
LANGUAGE plpgsql
AS $body$
BEGIN
    INSERT INTO @schema@.customers_stalemark (id, first_id, last_id)
    VALUES (nextval('@schema@.customers_stalemark_id_seq') + 4611686018427387904, 1, 9223372036854775807);
    NOTIFY vigilpay_stale;
    RETURN NULL;
END
$body$;
CREATE OR REPLACE TRIGGER vigilpay_released
AFTER INSERT OR DELETE ON @schema@.customers_modelrelease
FOR EACH STATEMENT
EXECUTE FUNCTION @schema@.vigilpay_released();
COMMENT ON TRIGGER vigilpay_released ON @schema@.customers_modelrelease IS 'fc0493a52ec695e0673ef84af9255736925b034dec5e666d99a5a85f6ad0a0bf';$sql$, '@schema@', quote_ident(current_schema())); END $install$;""",
    "DROP TRIGGER vigilpay_3_knock ON customers_customer",
    "DROP FUNCTION vigilpay_3_knock()",
    # What was stale before is found by this mark.
    """
INSERT INTO customers_stalemark (id, first_id, last_id)
SELECT nextval('customers_stalemark_id_seq') + 2305843009213693952, 1, 9223372036854775807
WHERE nextval('customers_stalemark_intact') IS NOT NULL
""",
]

UNINSTALL = [
    "DROP TRIGGER vigilpay_released ON customers_modelrelease",
    *FORMER.INSTALL,
    """
DROP FUNCTION vigilpay_released(), vigilpay_mark(bigint, integer), vigilpay_keep_unscored(customers_customer)
""",
    "DROP SEQUENCE events_awake",
]


class Migration(migrations.Migration):
    dependencies = [("customers", "0002_engine"), ("events", "0003_let_editors_look")]
    operations = [migrations.RunSQL(INSTALL, UNINSTALL)]
