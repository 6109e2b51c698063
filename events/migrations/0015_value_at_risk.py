"""The value at risk: triggers that keep it with its score, the values of customers scored before, and constraints. Frozen.

In this order. One transaction replaces the triggers, while editors wait and readers do not. From then on a worker of
former code, too, leaves a value with each score that it stores. The customers of before are gone through in batches
that lock some rows for a moment; an attempt that was cut short is repeated, and passes over what is right already.
"""

from importlib import import_module
from time import sleep

from django.db import migrations, transaction

OBJECTION = import_module("customers.migrations.0016_objection")
FORMER = import_module("events.migrations.0014_rights_objections_and_feed")

INSTALL = [
    FORMER.LOCK,
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_0_arrive() RETURNS trigger
LANGUAGE plpgsql
AS $body$
BEGIN
    NEW.arrived_at := pg_catalog.clock_timestamp();
    NEW.version := 1;
    NEW.stale_since := CASE WHEN NEW.objected_at IS NULL THEN pg_catalog.statement_timestamp() END;
    NEW.edited_at := CASE WHEN NEW.objected_at IS NOT NULL THEN pg_catalog.statement_timestamp() END;
    NEW.edited_by := pg_catalog.left(pg_catalog.concat('sql:', session_user), 80);
    IF pg_catalog.current_setting('vigilpay.editor', true) OPERATOR(pg_catalog.<>) '' THEN
        IF pg_catalog.has_table_privilege('@schema@.customers_importbatch'::pg_catalog.regclass, 'UPDATE') THEN
            NEW.edited_by := pg_catalog.left(pg_catalog.current_setting('vigilpay.editor', true), 80);
        END IF;
    END IF;
    NEW.churn_risk_score := NULL;
    NEW.value_at_risk := NULL;
    NEW.scored_version := NULL;
    NEW.scored_by_id := NULL;
    NEW.scored_at := NULL;
    NEW.contributions := NULL;
    NEW.reason_codes := NULL;
    RETURN NEW;
END
$body$;
CREATE OR REPLACE TRIGGER vigilpay_0_arrive
BEFORE INSERT ON @schema@.customers_customer
FOR EACH ROW
EXECUTE FUNCTION @schema@.vigilpay_0_arrive();
ALTER TABLE @schema@.customers_customer ENABLE ALWAYS TRIGGER vigilpay_0_arrive;
COMMENT ON TRIGGER vigilpay_0_arrive ON @schema@.customers_customer IS '90c06a858195f8abd0fa35d3e8bd257a6f859b653cdef99702e3a3d506ccd4c2';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_1_guard() RETURNS trigger
LANGUAGE plpgsql
AS $body$
BEGIN
    NEW.arrived_at := OLD.arrived_at;
    NEW.version := OLD.version;
    NEW.stale_since := OLD.stale_since;
    NEW.edited_at := OLD.edited_at;
    NEW.edited_by := OLD.edited_by;
    NEW.churn_risk_score := OLD.churn_risk_score;
    NEW.value_at_risk := OLD.value_at_risk;
    NEW.scored_version := OLD.scored_version;
    NEW.scored_by_id := OLD.scored_by_id;
    NEW.scored_at := OLD.scored_at;
    NEW.contributions := OLD.contributions;
    NEW.reason_codes := OLD.reason_codes;
    RETURN NEW;
END
$body$;
CREATE OR REPLACE TRIGGER vigilpay_1_guard
BEFORE UPDATE OF arrived_at, version, stale_since, edited_at, edited_by, churn_risk_score, value_at_risk, scored_version, scored_by_id, scored_at, contributions, reason_codes ON @schema@.customers_customer
FOR EACH ROW
WHEN (current_setting('vigilpay.scorer', true) IS DISTINCT FROM 'on'
OR NOT has_table_privilege('@schema@.customers_scorerecord'::regclass, 'INSERT'))
EXECUTE FUNCTION @schema@.vigilpay_1_guard();
ALTER TABLE @schema@.customers_customer ENABLE ALWAYS TRIGGER vigilpay_1_guard;
COMMENT ON TRIGGER vigilpay_1_guard ON @schema@.customers_customer IS '3f7d6257476f2f610e8a24b682ec0fd1b3c8e7d49a74b4447d106e26de908552';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
CREATE OR REPLACE FUNCTION @schema@.zzz_vigilpay_stamp() RETURNS trigger
LANGUAGE plpgsql
AS $body$
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
       OR OLD.is_active_member IS DISTINCT FROM NEW.is_active_member
       OR OLD.objected_at IS DISTINCT FROM NEW.objected_at) THEN
        IF pg_catalog.current_setting('vigilpay.scorer', true) OPERATOR(pg_catalog.=) 'on' THEN
            IF pg_catalog.has_table_privilege('@schema@.customers_scorerecord'::pg_catalog.regclass, 'INSERT') THEN
                IF NEW.objected_at IS NOT NULL AND NEW.churn_risk_score IS NOT NULL THEN
                    RETURN NULL;
                END IF;
                IF NEW.value_at_risk IS NOT DISTINCT FROM OLD.value_at_risk
                        AND (OLD.churn_risk_score IS DISTINCT FROM NEW.churn_risk_score
       OR OLD.scored_at IS DISTINCT FROM NEW.scored_at) THEN
                    NEW.value_at_risk := pg_catalog.round(
                        GREATEST(NEW.balance, 0) OPERATOR(pg_catalog.*) NEW.churn_risk_score::pg_catalog.numeric, 2);
                END IF;
                RETURN NEW;
            END IF;
        END IF;
        IF OLD.arrived_at IS DISTINCT FROM NEW.arrived_at
       OR OLD.version IS DISTINCT FROM NEW.version
       OR OLD.stale_since IS DISTINCT FROM NEW.stale_since
       OR OLD.edited_at IS DISTINCT FROM NEW.edited_at
       OR OLD.edited_by IS DISTINCT FROM NEW.edited_by
       OR OLD.churn_risk_score IS DISTINCT FROM NEW.churn_risk_score
       OR OLD.value_at_risk IS DISTINCT FROM NEW.value_at_risk
       OR OLD.scored_version IS DISTINCT FROM NEW.scored_version
       OR OLD.scored_by_id IS DISTINCT FROM NEW.scored_by_id
       OR OLD.scored_at IS DISTINCT FROM NEW.scored_at
       OR OLD.contributions IS DISTINCT FROM NEW.contributions
       OR OLD.reason_codes IS DISTINCT FROM NEW.reason_codes THEN
            NEW.arrived_at := OLD.arrived_at;
    NEW.version := OLD.version;
    NEW.stale_since := OLD.stale_since;
    NEW.edited_at := OLD.edited_at;
    NEW.edited_by := OLD.edited_by;
    NEW.churn_risk_score := OLD.churn_risk_score;
    NEW.value_at_risk := OLD.value_at_risk;
    NEW.scored_version := OLD.scored_version;
    NEW.scored_by_id := OLD.scored_by_id;
    NEW.scored_at := OLD.scored_at;
    NEW.contributions := OLD.contributions;
    NEW.reason_codes := OLD.reason_codes;
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.customer_id OPERATOR(pg_catalog.<>) OLD.customer_id THEN
        NEW.arrived_at := GREATEST(pg_catalog.clock_timestamp(), pg_catalog.statement_timestamp());
    END IF;
    IF OLD.stale_since IS NOT NULL THEN
        NEW.edited_at := pg_catalog.statement_timestamp();
    END IF;
    NEW.stale_since := COALESCE(NEW.stale_since, pg_catalog.statement_timestamp());
    NEW.version := OLD.version OPERATOR(pg_catalog.+) 1;
    NEW.edited_by := pg_catalog.left(pg_catalog.concat('sql:', session_user), 80);
    IF pg_catalog.current_setting('vigilpay.editor', true) OPERATOR(pg_catalog.<>) '' THEN
        IF pg_catalog.has_table_privilege('@schema@.customers_importbatch'::pg_catalog.regclass, 'UPDATE') THEN
            NEW.edited_by := pg_catalog.left(pg_catalog.current_setting('vigilpay.editor', true), 80);
        END IF;
    END IF;
    IF COALESCE(NEW.objected_at, OLD.objected_at) IS NOT NULL THEN
        NEW.edited_at := pg_catalog.statement_timestamp();
        IF NEW.objected_at IS NOT NULL THEN
    NEW.stale_since := NULL;
    NEW.churn_risk_score := NULL;
    NEW.value_at_risk := NULL;
    NEW.scored_version := NULL;
    NEW.scored_by_id := NULL;
    NEW.scored_at := NULL;
    NEW.contributions := NULL;
    NEW.reason_codes := NULL;
        END IF;
    END IF;
    RETURN NEW;
END
$body$;
CREATE OR REPLACE TRIGGER zzz_vigilpay_stamp
BEFORE UPDATE ON @schema@.customers_customer
FOR EACH ROW
EXECUTE FUNCTION @schema@.zzz_vigilpay_stamp();
ALTER TABLE @schema@.customers_customer ENABLE ALWAYS TRIGGER zzz_vigilpay_stamp;
COMMENT ON TRIGGER zzz_vigilpay_stamp ON @schema@.customers_customer IS 'acbac554d3a07838d0199d5a266cb510fac7907c27a1e27d7ca43b5045ecd421';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_4_edited() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path=pg_catalog, pg_temp
AS $body$
#variable_conflict use_variable
DECLARE
    ids bigint[];
    missed bigint[];
    sure boolean;
    overwritten boolean;
    unscored boolean;
    scorer text;
    kind_of_mark integer := 0;
    due_at timestamptz := clock_timestamp();
    statements text;
BEGIN
    IF TG_RELID <> '@schema@.customers_customer'::regclass THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: this function belongs to customers_customer';
    END IF;
    IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        kind_of_mark := 5;
        due_at := due_at + interval '1 s';
    ELSIF due_at > transaction_timestamp() + interval '5 ms' THEN
        statements := current_setting('vigilpay.small_edits', true);
        IF length(statements) >= 8 THEN
            kind_of_mark := 1;
        ELSE
            statements := set_config('vigilpay.small_edits', concat(statements, '.'), true);
        END IF;
    END IF;
    INSERT INTO @schema@.customers_stalemark (kind, due_at, ids)
    SELECT kind_of_mark, due_at, ARRAY[customer_id] FROM changed
    WHERE stale_since = statement_timestamp() AND edited_at IS DISTINCT FROM stale_since AND NOT arrived_at >= statement_timestamp()
        AND NOT EXISTS (SELECT FROM changed OFFSET 1);
    IF FOUND THEN
        IF abs(pg_sequence_last_value('@schema@.events_awake'::regclass) - 30000
           - date_part('epoch', clock_timestamp()) * 1000) <= 30000 THEN
        NULL;
    ELSIF current_setting('vigilpay.notify', true) IS DISTINCT FROM 'off' THEN
        NOTIFY vigilpay_stale;
    END IF;
        RETURN NULL;
    END IF;
    SELECT array_agg(customer_id) FILTER (WHERE COALESCE(stale_since, objected_at) IS NOT NULL AND statement_timestamp() IN (stale_since, edited_at) AND objected_at IS NULL), bool_and((COALESCE(stale_since, objected_at) IS NOT NULL AND statement_timestamp() IN (stale_since, edited_at)) IS TRUE),
        bool_or(edited_at = statement_timestamp()), bool_or(arrived_at >= statement_timestamp() OR objected_at IS NOT NULL)
    INTO ids, sure, overwritten, unscored FROM changed;
    IF NOT sure AND current_setting('vigilpay.scorer', true) = 'on' THEN
        SELECT array_agg(customer_id) INTO missed FROM (
            SELECT customer_id, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member FROM changed WHERE (COALESCE(stale_since, objected_at) IS NOT NULL AND statement_timestamp() IN (stale_since, edited_at)) IS NOT TRUE
            EXCEPT SELECT customer_id, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member FROM former) AS missing;
    ELSIF NOT sure THEN
        SELECT array_agg(customer_id) INTO missed FROM (
            SELECT customer_id, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member, arrived_at, version, stale_since, edited_at, edited_by, churn_risk_score, value_at_risk, scored_version, scored_by_id, scored_at, contributions, reason_codes FROM changed WHERE (COALESCE(stale_since, objected_at) IS NOT NULL AND statement_timestamp() IN (stale_since, edited_at)) IS NOT TRUE
            EXCEPT SELECT customer_id, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member, arrived_at, version, stale_since, edited_at, edited_by, churn_risk_score, value_at_risk, scored_version, scored_by_id, scored_at, contributions, reason_codes FROM former) AS missing;
    END IF;
    ids := ids || missed;
    IF missed IS NOT NULL OR overwritten
            AND (pg_trigger_depth() = 1 OR current_setting('vigilpay.scorer', true) IS DISTINCT FROM 'on') THEN
        INSERT INTO @schema@.customers_unscoredversion
        (customer_id, arrived_at, version, edited_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member)
    SELECT overwritten.customer_id, overwritten.arrived_at, overwritten.version,
        GREATEST(overwritten.stale_since, overwritten.edited_at), overwritten.edited_by,
        overwritten.credit_score, overwritten.geography, overwritten.gender, overwritten.age, overwritten.tenure, overwritten.balance, overwritten.num_of_products, overwritten.has_cr_card, overwritten.is_active_member FROM (
            SELECT customer_id, arrived_at, version, stale_since, edited_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member FROM former WHERE COALESCE(former.stale_since, former.objected_at) IS NOT NULL
            EXCEPT SELECT customer_id, arrived_at, version, stale_since, edited_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member FROM changed) AS overwritten;
    END IF;
    IF unscored OR missed IS NOT NULL THEN
        INSERT INTO @schema@.customers_scorechange (customer_ids)
    SELECT array_agg(customer_id) FROM (
        SELECT customer_id, (row_number() OVER () - 1) / 200 AS piece FROM (
            SELECT customer_id FROM former WHERE churn_risk_score IS NOT NULL
            EXCEPT SELECT customer_id FROM changed WHERE churn_risk_score IS NOT NULL) AS lost) AS numbered
    GROUP BY piece;
    END IF;
    IF ids IS NULL THEN
        RETURN NULL;
    END IF;
    IF missed IS NOT NULL THEN
        scorer := COALESCE(current_setting('vigilpay.scorer', true), '');
        PERFORM set_config('vigilpay.scorer', 'on', true), set_config('search_path', COALESCE((
            SELECT substr(setting, 13) FROM pg_db_role_setting, unnest(setconfig) AS setting
            WHERE setting LIKE 'search_path=%'
                AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))
                AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
            ORDER BY setrole DESC, setdatabase DESC LIMIT 1), '"$user", public'), true);
        UPDATE @schema@.customers_customer SET version = version + 1, edited_by = left(COALESCE(NULLIF(current_setting('vigilpay.editor', true), ''), 'sql:' || session_user), 80), edited_at =
            CASE WHEN COALESCE(stale_since, objected_at) IS NULL THEN edited_at ELSE statement_timestamp() END,
            stale_since = CASE WHEN objected_at IS NULL THEN COALESCE(stale_since, statement_timestamp()) END
        WHERE customer_id = ANY (missed);
        PERFORM set_config('vigilpay.scorer', scorer, true), set_config('search_path', 'pg_catalog, pg_temp', true);
    END IF;
    IF cardinality(ids) > 8 THEN
        INSERT INTO @schema@.customers_stalemark (kind, due_at, ids)
        SELECT CASE kind_of_mark WHEN 5 THEN 5 ELSE 2 END, due_at,
            ids[first : first + 199]
        FROM generate_series(1, cardinality(ids), 200) AS first;
    ELSE
        INSERT INTO @schema@.customers_stalemark (kind, due_at, ids)
        SELECT kind_of_mark, due_at, ARRAY[edited] FROM unnest(ids) AS edited;
    END IF;
    IF abs(pg_sequence_last_value('@schema@.events_awake'::regclass) - 30000
           - date_part('epoch', clock_timestamp()) * 1000) <= 30000 THEN
        NULL;
    ELSIF current_setting('vigilpay.notify', true) IS DISTINCT FROM 'off' THEN
        NOTIFY vigilpay_stale;
    END IF;
    RETURN NULL;
END
$body$;
ALTER FUNCTION @schema@.vigilpay_4_edited() OWNER TO @owner@;
REVOKE ALL ON FUNCTION @schema@.vigilpay_4_edited() FROM PUBLIC;
CREATE OR REPLACE TRIGGER vigilpay_4_edited
AFTER UPDATE ON @schema@.customers_customer
REFERENCING OLD TABLE AS former NEW TABLE AS changed
FOR EACH STATEMENT
EXECUTE FUNCTION @schema@.vigilpay_4_edited();
ALTER TABLE @schema@.customers_customer ENABLE TRIGGER vigilpay_4_edited;
COMMENT ON TRIGGER vigilpay_4_edited ON @schema@.customers_customer IS '0b119cadbe2a8c85788eecfd8f4103cff9edf896028ff47ad7707a1e3d2ae85d';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
]
REPLACED = ["vigilpay_0_arrive", "vigilpay_1_guard", "zzz_vigilpay_stamp", "vigilpay_4_edited"]


def install(apps, schema_editor):
    for statement in INSTALL:
        schema_editor.execute(statement, params=None)


def uninstall(apps, schema_editor):
    schema_editor.execute(FORMER.LOCK)
    for statement in FORMER.INSTALL:
        if any(f"CREATE OR REPLACE TRIGGER {name}\n" in statement for name in REPLACED):
            schema_editor.execute(statement, params=None)


# A value belongs to the score that is stored. Of a row that was edited since, the history has the balance of then;
# where it has not, because it was pruned, the row's own will do until the row is scored, which is soon.
VALUE = """round(greatest(CASE WHEN customer.stale_since IS NULL THEN customer.balance ELSE COALESCE((
        SELECT record.balance FROM customers_scorerecord AS record
        WHERE record.customer_id = customer.customer_id AND record.arrived_at = customer.arrived_at
            AND record.version = customer.scored_version
        ORDER BY record.id DESC LIMIT 1), customer.balance) END, 0) * customer.churn_risk_score::numeric, 2)"""
IS_WRONG = f"customer.value_at_risk IS DISTINCT FROM {VALUE}"
BATCH_ROWS = 2000
LAST_OF_BATCH = """SELECT max(customer_id), count(*) FROM (
    SELECT customer_id FROM customers_customer WHERE customer_id > %s ORDER BY customer_id LIMIT %s) AS batch"""
FILL = f"""UPDATE customers_customer AS customer SET value_at_risk = {VALUE}
WHERE {IS_WRONG} AND customer.customer_id IN (
    SELECT customer.customer_id FROM customers_customer AS customer
    WHERE customer.customer_id > %s AND customer.customer_id <= %s AND {IS_WRONG}
    FOR NO KEY UPDATE SKIP LOCKED)"""  # noqa: S608  # made of the constants above
ANY_WRONG = f"SELECT EXISTS (SELECT FROM customers_customer AS customer WHERE {IS_WRONG})"  # noqa: S608
AS_THE_SCORER = "SELECT set_config('vigilpay.scorer', 'on', true), set_config('jit', 'off', true)"
ATTEMPTS = 60
PAUSE_SECONDS = 0.5


def fill(apps, schema_editor):
    """Rows that an editor holds are passed over, and come again."""
    with schema_editor.connection.cursor() as cursor:
        for _attempt in range(ATTEMPTS):
            go_through(cursor)
            cursor.execute(ANY_WRONG)
            if not cursor.fetchone()[0]:
                return
            sleep(PAUSE_SECONDS)
    raise RuntimeError(
        "Customers are held by transactions that have been open for minutes. What was done so far stays: end those "
        "transactions, or migrate again when no large edit is running."
    )


def go_through(cursor):
    first = 0
    while True:
        cursor.execute(LAST_OF_BATCH, [first, BATCH_ROWS])
        last, rows = cursor.fetchone()
        if not rows:
            return
        with transaction.atomic(cursor.db.alias):
            cursor.execute(AS_THE_SCORER)
            cursor.execute(FILL, [first, last])
        first = last


TOGETHER = """stale_since IS NOT NULL OR churn_risk_score IS NULL AND value_at_risk IS NULL
        OR churn_risk_score IS NOT NULL AND value_at_risk IS NOT NULL"""
CONSTRAIN = OBJECTION.PATIENTLY.format(f"""ALTER TABLE customers_customer
    DROP CONSTRAINT IF EXISTS customer_value_goes_with_score,
    DROP CONSTRAINT IF EXISTS customer_objected_means_no_score,
    ADD CONSTRAINT customer_value_goes_with_score CHECK ({TOGETHER}) NOT VALID,
    ADD CONSTRAINT customer_objected_means_no_score CHECK (
        objected_at IS NULL OR ({OBJECTION.NO_SCORE} AND value_at_risk IS NULL)) NOT VALID""")
VALIDATE = """ALTER TABLE customers_customer VALIDATE CONSTRAINT customer_value_goes_with_score;
ALTER TABLE customers_customer VALIDATE CONSTRAINT customer_objected_means_no_score"""
FORMER_CONSTRAINTS = [
    OBJECTION.PATIENTLY.format(f"""ALTER TABLE customers_customer
    DROP CONSTRAINT IF EXISTS customer_value_goes_with_score,
    DROP CONSTRAINT IF EXISTS customer_objected_means_no_score,
    ADD CONSTRAINT customer_objected_means_no_score CHECK (objected_at IS NULL OR ({OBJECTION.NO_SCORE})) NOT VALID"""),
    "ALTER TABLE customers_customer VALIDATE CONSTRAINT customer_objected_means_no_score",
]


class Migration(migrations.Migration):
    atomic = False  # each step by itself, and each batch

    dependencies = [("customers", "0018_value_at_risk"), ("events", "0014_rights_objections_and_feed")]

    operations = [
        migrations.RunPython(install, uninstall, atomic=True),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunSQL(CONSTRAIN, FORMER_CONSTRAINTS),
        migrations.RunSQL(VALIDATE, migrations.RunSQL.noop),
    ]
