"""The settings of the scorer and of editors count for roles that have the right. And turns, in place of locks that every
role can take. Frozen.

Nothing is written to a customer, and reading goes on. The lock that new triggers need is asked for with little
patience, again and again, so that editors who wait behind it wait no longer than that.
"""

from importlib import import_module

from django.db import migrations, models

ARRAYS = import_module("events.migrations.0012_marks_are_arrays")

LOCK = """DO $lock$ BEGIN
    SET LOCAL lock_timeout = '500ms';
    FOR attempt IN 1..60 LOOP
        BEGIN
            LOCK TABLE customers_customer IN SHARE ROW EXCLUSIVE MODE;
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            PERFORM pg_sleep(0.5);
        END;
    END LOOP;
    RAISE lock_not_available USING MESSAGE = 'customers_customer is in use: a transaction holds it for minutes. '
        'Nothing was changed; end that transaction, or migrate when no large edit is running.';
END $lock$"""

INSTALL = [
    LOCK,
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_0_arrive() RETURNS trigger
LANGUAGE plpgsql
AS $body$
BEGIN
    NEW.arrived_at := pg_catalog.clock_timestamp();
    NEW.version := 1;
    NEW.stale_since := pg_catalog.statement_timestamp();
    NEW.edited_at := NULL;
    NEW.edited_by := pg_catalog.left(pg_catalog.concat('sql:', session_user), 80);
    IF pg_catalog.current_setting('vigilpay.editor', true) OPERATOR(pg_catalog.<>) '' THEN
        IF pg_catalog.has_table_privilege('@schema@.customers_importbatch'::pg_catalog.regclass, 'UPDATE') THEN
            NEW.edited_by := pg_catalog.left(pg_catalog.current_setting('vigilpay.editor', true), 80);
        END IF;
    END IF;
    NEW.churn_risk_score := NULL;
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
COMMENT ON TRIGGER vigilpay_0_arrive ON @schema@.customers_customer IS '38a7269fa034dac6ca5587ba6bfa6a56e5995aa1ba73e56d4fdadc227b68fa6e';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
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
    NEW.scored_version := OLD.scored_version;
    NEW.scored_by_id := OLD.scored_by_id;
    NEW.scored_at := OLD.scored_at;
    NEW.contributions := OLD.contributions;
    NEW.reason_codes := OLD.reason_codes;
    RETURN NEW;
END
$body$;
CREATE OR REPLACE TRIGGER vigilpay_1_guard
BEFORE UPDATE OF arrived_at, version, stale_since, edited_at, edited_by, churn_risk_score, scored_version, scored_by_id, scored_at, contributions, reason_codes ON @schema@.customers_customer
FOR EACH ROW
WHEN (current_setting('vigilpay.scorer', true) IS DISTINCT FROM 'on'
OR NOT has_table_privilege('@schema@.customers_scorerecord'::regclass, 'INSERT'))
EXECUTE FUNCTION @schema@.vigilpay_1_guard();
ALTER TABLE @schema@.customers_customer ENABLE ALWAYS TRIGGER vigilpay_1_guard;
COMMENT ON TRIGGER vigilpay_1_guard ON @schema@.customers_customer IS '8a1e5a2fb4408b193ed31caee902cb8564c5e1e954c204a8ac492abe99709472';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
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
       OR OLD.is_active_member IS DISTINCT FROM NEW.is_active_member) THEN
        IF pg_catalog.current_setting('vigilpay.scorer', true) OPERATOR(pg_catalog.=) 'on' THEN
            IF pg_catalog.has_table_privilege('@schema@.customers_scorerecord'::pg_catalog.regclass, 'INSERT') THEN
                RETURN NEW;
            END IF;
        END IF;
        IF OLD.arrived_at IS DISTINCT FROM NEW.arrived_at
       OR OLD.version IS DISTINCT FROM NEW.version
       OR OLD.stale_since IS DISTINCT FROM NEW.stale_since
       OR OLD.edited_at IS DISTINCT FROM NEW.edited_at
       OR OLD.edited_by IS DISTINCT FROM NEW.edited_by
       OR OLD.churn_risk_score IS DISTINCT FROM NEW.churn_risk_score
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
    NEW.scored_version := OLD.scored_version;
    NEW.scored_by_id := OLD.scored_by_id;
    NEW.scored_at := OLD.scored_at;
    NEW.contributions := OLD.contributions;
    NEW.reason_codes := OLD.reason_codes;
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.customer_id OPERATOR(pg_catalog.<>) OLD.customer_id THEN
        NEW.arrived_at := pg_catalog.clock_timestamp();
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
    RETURN NEW;
END
$body$;
CREATE OR REPLACE TRIGGER zzz_vigilpay_stamp
BEFORE UPDATE ON @schema@.customers_customer
FOR EACH ROW
EXECUTE FUNCTION @schema@.zzz_vigilpay_stamp();
ALTER TABLE @schema@.customers_customer ENABLE ALWAYS TRIGGER zzz_vigilpay_stamp;
COMMENT ON TRIGGER zzz_vigilpay_stamp ON @schema@.customers_customer IS 'c665076fbabec131ad9196264c2a55388f63f140923b6f62a933bf1c008982fe';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_2_rights() RETURNS trigger
LANGUAGE plpgsql
AS $body$
BEGIN
    IF pg_catalog.current_setting('vigilpay.scorer', true) OPERATOR(pg_catalog.=) 'on' THEN
        IF NOT pg_catalog.has_table_privilege('@schema@.customers_scorerecord'::pg_catalog.regclass, 'INSERT') THEN
            PERFORM pg_catalog.set_config('vigilpay.scorer', 'off', true);
        END IF;
    END IF;
    IF pg_catalog.current_setting('vigilpay.editor', true) OPERATOR(pg_catalog.<>) '' THEN
        IF NOT pg_catalog.has_table_privilege('@schema@.customers_importbatch'::pg_catalog.regclass, 'UPDATE') THEN
            PERFORM pg_catalog.set_config('vigilpay.editor', '', true);
        END IF;
    END IF;
    RETURN NULL;
END
$body$;
CREATE OR REPLACE TRIGGER vigilpay_2_rights
AFTER INSERT OR UPDATE ON @schema@.customers_customer
FOR EACH STATEMENT
EXECUTE FUNCTION @schema@.vigilpay_2_rights();
ALTER TABLE @schema@.customers_customer ENABLE TRIGGER vigilpay_2_rights;
COMMENT ON TRIGGER vigilpay_2_rights ON @schema@.customers_customer IS '4923a38b32de9f3152738f53bce60c7f15e0757be538dc73cd41bec29ce59639';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$GRANT INSERT ON @schema@.customers_scorerecord TO @owner@;
REVOKE INSERT ON @schema@.customers_scorerecord FROM PUBLIC;
REVOKE UPDATE ON @schema@.customers_importbatch FROM PUBLIC;$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
]

UNINSTALL = [
    LOCK,
    "DROP TRIGGER vigilpay_2_rights ON customers_customer; DROP FUNCTION vigilpay_2_rights();",
    *ARRAYS.INSTALL[3:6],  # arrive, guard and stamp
]


class Migration(migrations.Migration):
    dependencies = [("events", "0013_help_texts")]
    operations = [
        migrations.CreateModel(
            name="Turn",
            fields=[
                ("name", models.CharField(max_length=20, primary_key=True, serialize=False)),
                (
                    "process",
                    models.IntegerField(
                        help_text="Of the session that has it for longer than a transaction.", null=True
                    ),
                ),
                ("began_at", models.DateTimeField(help_text="When that session began.", null=True)),
            ],
            options={"default_permissions": ()},
        ),
        migrations.RunSQL(INSTALL, UNINSTALL),
    ]
