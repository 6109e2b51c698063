"""Marks are arrays of ids; rows as they are stored decide; what goes beyond a row runs with its owner's rights. Frozen.

One transaction changes the table and all that writes into it: whatever was marked before is found by the sweep that is
marked here, and no edit can come in between, for the customers are locked. Locks are asked for with little patience,
again and again, so that editors who wait behind this wait no longer than that.
"""

from importlib import import_module

from django.db import migrations

MARKS = import_module("events.migrations.0004_marks")
REASONS = import_module("events.migrations.0007_reasons")
LIVES = import_module("events.migrations.0010_lives")

LOCK = """DO $lock$ BEGIN
    SET LOCAL lock_timeout = '500ms';
    FOR attempt IN 1..60 LOOP
        BEGIN
            LOCK TABLE customers_customer IN ACCESS EXCLUSIVE MODE;
            LOCK TABLE customers_stalemark, customers_modelrelease, customers_scorerecord IN ACCESS EXCLUSIVE MODE;
            LOCK TABLE events_watch IN ACCESS EXCLUSIVE MODE;
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            PERFORM pg_sleep(0.5);
        END;
    END LOOP;
    RAISE lock_not_available USING MESSAGE = 'customers_customer is in use: a transaction holds it for minutes. '
        'Nothing was changed; end that transaction, or migrate when no large edit is running.';
END $lock$"""

# Logged: an unlogged sequence is unusable on a replica that is promoted before its first restartpoint.
AWAKE = """
DROP SEQUENCE events_awake;
CREATE SEQUENCE events_awake OWNED BY events_watch.awake_until;
"""
TABLE = """
DROP TABLE customers_stalemark;
CREATE UNLOGGED TABLE customers_stalemark (
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind smallint NOT NULL,
    ids bigint[] NOT NULL
);
CREATE INDEX stale_mark_order ON customers_stalemark (kind, due_at);
REVOKE SELECT ON events_watch FROM PUBLIC;
"""
DROP_FUNCTIONS = """
DROP TRIGGER IF EXISTS vigilpay_2_stamp ON customers_customer;
DROP FUNCTION IF EXISTS vigilpay_2_stamp();
DROP TRIGGER IF EXISTS vigilpay_3_life ON customers_customer;
DROP FUNCTION IF EXISTS vigilpay_3_life();
DROP FUNCTION IF EXISTS vigilpay_mark(bigint, integer);
DROP FUNCTION IF EXISTS vigilpay_keep_unscored(customers_customer);
"""
SWEEP = """
INSERT INTO customers_stalemark (kind, ids)
VALUES (7, ARRAY[0]), (8, ARRAY[pg_relation_filenode('customers_customer')::bigint]);
"""
INSTALL = [
    LOCK,
    AWAKE,
    TABLE,
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_0_arrive() RETURNS trigger
LANGUAGE plpgsql
AS $body$
BEGIN
    NEW.arrived_at := clock_timestamp();
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
    RETURN NEW;
END
$body$;
CREATE OR REPLACE TRIGGER vigilpay_0_arrive
BEFORE INSERT ON @schema@.customers_customer
FOR EACH ROW
EXECUTE FUNCTION @schema@.vigilpay_0_arrive();
ALTER TABLE @schema@.customers_customer ENABLE ALWAYS TRIGGER vigilpay_0_arrive;
COMMENT ON TRIGGER vigilpay_0_arrive ON @schema@.customers_customer IS '6119a6aeab2bf3e6b7dea4c74ec4175335fa42a9e72796cf1841bda281e68e28';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
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
WHEN (current_setting('vigilpay.scorer', true) IS DISTINCT FROM 'on')
EXECUTE FUNCTION @schema@.vigilpay_1_guard();
ALTER TABLE @schema@.customers_customer ENABLE ALWAYS TRIGGER vigilpay_1_guard;
COMMENT ON TRIGGER vigilpay_1_guard ON @schema@.customers_customer IS '4b9464aba443433361593e0e73ef11c9736331ac906d28fa7dc4abe0314a17f1';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
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
        IF current_setting('vigilpay.scorer', true) IS DISTINCT FROM 'on' AND (OLD.arrived_at IS DISTINCT FROM NEW.arrived_at
       OR OLD.version IS DISTINCT FROM NEW.version
       OR OLD.stale_since IS DISTINCT FROM NEW.stale_since
       OR OLD.edited_at IS DISTINCT FROM NEW.edited_at
       OR OLD.edited_by IS DISTINCT FROM NEW.edited_by
       OR OLD.churn_risk_score IS DISTINCT FROM NEW.churn_risk_score
       OR OLD.scored_version IS DISTINCT FROM NEW.scored_version
       OR OLD.scored_by_id IS DISTINCT FROM NEW.scored_by_id
       OR OLD.scored_at IS DISTINCT FROM NEW.scored_at
       OR OLD.contributions IS DISTINCT FROM NEW.contributions
       OR OLD.reason_codes IS DISTINCT FROM NEW.reason_codes) THEN
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
    IF NEW.customer_id <> OLD.customer_id THEN
        NEW.arrived_at := clock_timestamp();
    END IF;
    IF OLD.stale_since IS NOT NULL THEN
        NEW.edited_at := statement_timestamp();
    END IF;
    NEW.stale_since := COALESCE(NEW.stale_since, statement_timestamp());
    NEW.version := OLD.version + 1;
    NEW.edited_by := left(COALESCE(NULLIF(current_setting('vigilpay.editor', true), ''), 'sql:' || session_user), 80);
    RETURN NEW;
END
$body$;
CREATE OR REPLACE TRIGGER zzz_vigilpay_stamp
BEFORE UPDATE ON @schema@.customers_customer
FOR EACH ROW
EXECUTE FUNCTION @schema@.zzz_vigilpay_stamp();
ALTER TABLE @schema@.customers_customer ENABLE ALWAYS TRIGGER zzz_vigilpay_stamp;
COMMENT ON TRIGGER zzz_vigilpay_stamp ON @schema@.customers_customer IS '6aa849e3fd3eae03f0d91afb5dd93c59cb1c1e1a5281d5beed91aaf21ae89f93';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_3_arrived() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path=pg_catalog, pg_temp
AS $body$
#variable_conflict use_variable
DECLARE
    ids bigint[];
    missed bigint[];
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
    WHERE stale_since = statement_timestamp() AND edited_at IS DISTINCT FROM stale_since
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
    SELECT array_agg(customer_id), array_agg(customer_id) FILTER (WHERE stale_since IS NULL)
    INTO ids, missed FROM changed;
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
            CASE WHEN stale_since IS NULL THEN edited_at ELSE statement_timestamp() END,
            stale_since = COALESCE(stale_since, statement_timestamp())
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
ALTER FUNCTION @schema@.vigilpay_3_arrived() OWNER TO @owner@;
REVOKE ALL ON FUNCTION @schema@.vigilpay_3_arrived() FROM PUBLIC;
CREATE OR REPLACE TRIGGER vigilpay_3_arrived
AFTER INSERT ON @schema@.customers_customer
REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT
EXECUTE FUNCTION @schema@.vigilpay_3_arrived();
ALTER TABLE @schema@.customers_customer ENABLE TRIGGER vigilpay_3_arrived;
COMMENT ON TRIGGER vigilpay_3_arrived ON @schema@.customers_customer IS '7f4f6a9f88821bd0e65b50f3ad9a27b7bda1fb53f340299b3ecc1d75c22e5364';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
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
    WHERE stale_since = statement_timestamp() AND edited_at IS DISTINCT FROM stale_since
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
    SELECT array_agg(customer_id) FILTER (WHERE stale_since IS NOT NULL AND statement_timestamp() IN (stale_since, edited_at)), bool_and((stale_since IS NOT NULL AND statement_timestamp() IN (stale_since, edited_at)) IS TRUE),
        bool_or(edited_at = statement_timestamp())
    INTO ids, sure, overwritten FROM changed;
    IF NOT sure AND current_setting('vigilpay.scorer', true) = 'on' THEN
        SELECT array_agg(customer_id) INTO missed FROM (
            SELECT customer_id, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member FROM changed WHERE (stale_since IS NOT NULL AND statement_timestamp() IN (stale_since, edited_at)) IS NOT TRUE
            EXCEPT SELECT customer_id, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member FROM former) AS missing;
    ELSIF NOT sure THEN
        SELECT array_agg(customer_id) INTO missed FROM (
            SELECT customer_id, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member, arrived_at, version, stale_since, edited_at, edited_by, churn_risk_score, scored_version, scored_by_id, scored_at, contributions, reason_codes FROM changed WHERE (stale_since IS NOT NULL AND statement_timestamp() IN (stale_since, edited_at)) IS NOT TRUE
            EXCEPT SELECT customer_id, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member, arrived_at, version, stale_since, edited_at, edited_by, churn_risk_score, scored_version, scored_by_id, scored_at, contributions, reason_codes FROM former) AS missing;
    END IF;
    ids := ids || missed;
    IF missed IS NOT NULL OR overwritten
            AND (pg_trigger_depth() = 1 OR current_setting('vigilpay.scorer', true) IS DISTINCT FROM 'on') THEN
        INSERT INTO @schema@.customers_unscoredversion
        (customer_id, arrived_at, version, edited_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member)
    SELECT overwritten.customer_id, overwritten.arrived_at, overwritten.version,
        GREATEST(overwritten.stale_since, overwritten.edited_at), overwritten.edited_by,
        overwritten.credit_score, overwritten.geography, overwritten.gender, overwritten.age, overwritten.tenure, overwritten.balance, overwritten.num_of_products, overwritten.has_cr_card, overwritten.is_active_member FROM (
            SELECT customer_id, arrived_at, version, stale_since, edited_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member FROM former WHERE stale_since IS NOT NULL
            EXCEPT SELECT customer_id, arrived_at, version, stale_since, edited_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member FROM changed) AS overwritten;
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
            CASE WHEN stale_since IS NULL THEN edited_at ELSE statement_timestamp() END,
            stale_since = COALESCE(stale_since, statement_timestamp())
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
COMMENT ON TRIGGER vigilpay_4_edited ON @schema@.customers_customer IS 'b01fc0de7147d9dfc9bd565e3871a20ed58a296a4450ef98fec2c22bb35f51fd';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_5_replicated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path=pg_catalog, pg_temp
AS $body$
#variable_conflict use_variable
DECLARE
    ids bigint[] := ARRAY[NEW.customer_id];
    kind_of_mark integer := 0;
    due_at timestamptz := clock_timestamp();
    statements text;
BEGIN
    IF TG_RELID <> '@schema@.customers_customer'::regclass THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: this function belongs to customers_customer';
    END IF;
    IF TG_OP = 'DELETE' THEN
        IF OLD.stale_since IS NOT NULL THEN
            INSERT INTO @schema@.customers_unscoredversion
        (customer_id, arrived_at, version, edited_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member)
    SELECT OLD.customer_id, OLD.arrived_at, OLD.version,
        GREATEST(OLD.stale_since, OLD.edited_at), OLD.edited_by,
        OLD.credit_score, OLD.geography, OLD.gender, OLD.age, OLD.tenure, OLD.balance, OLD.num_of_products, OLD.has_cr_card, OLD.is_active_member;
        END IF;
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF NEW.version = OLD.version AND NEW.customer_id = OLD.customer_id THEN
            RETURN NULL;
        END IF;
        IF OLD.stale_since IS NOT NULL THEN
            INSERT INTO @schema@.customers_unscoredversion
        (customer_id, arrived_at, version, edited_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member)
    SELECT OLD.customer_id, OLD.arrived_at, OLD.version,
        GREATEST(OLD.stale_since, OLD.edited_at), OLD.edited_by,
        OLD.credit_score, OLD.geography, OLD.gender, OLD.age, OLD.tenure, OLD.balance, OLD.num_of_products, OLD.has_cr_card, OLD.is_active_member;
        END IF;
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
ALTER FUNCTION @schema@.vigilpay_5_replicated() OWNER TO @owner@;
REVOKE ALL ON FUNCTION @schema@.vigilpay_5_replicated() FROM PUBLIC;
CREATE OR REPLACE TRIGGER vigilpay_5_replicated
AFTER INSERT OR DELETE OR UPDATE ON @schema@.customers_customer
FOR EACH ROW
EXECUTE FUNCTION @schema@.vigilpay_5_replicated();
ALTER TABLE @schema@.customers_customer ENABLE REPLICA TRIGGER vigilpay_5_replicated;
COMMENT ON TRIGGER vigilpay_5_replicated ON @schema@.customers_customer IS 'fb07a0bb3458e3a3155439831b5a03c75867cd6d386e5f94ec2a776ad2ea174c';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_leave() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path=pg_catalog, pg_temp
AS $body$
BEGIN
    IF TG_RELID <> '@schema@.customers_customer'::regclass THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: this function belongs to customers_customer';
    END IF;
    INSERT INTO @schema@.customers_unscoredversion
        (customer_id, arrived_at, version, edited_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member)
    SELECT former.customer_id, former.arrived_at, former.version,
        GREATEST(former.stale_since, former.edited_at), former.edited_by,
        former.credit_score, former.geography, former.gender, former.age, former.tenure, former.balance, former.num_of_products, former.has_cr_card, former.is_active_member FROM gone AS former WHERE former.stale_since IS NOT NULL;
    RETURN NULL;
END
$body$;
ALTER FUNCTION @schema@.vigilpay_leave() OWNER TO @owner@;
REVOKE ALL ON FUNCTION @schema@.vigilpay_leave() FROM PUBLIC;
CREATE OR REPLACE TRIGGER vigilpay_leave
AFTER DELETE ON @schema@.customers_customer
REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT
EXECUTE FUNCTION @schema@.vigilpay_leave();
ALTER TABLE @schema@.customers_customer ENABLE TRIGGER vigilpay_leave;
COMMENT ON TRIGGER vigilpay_leave ON @schema@.customers_customer IS '920a7f6f66a50092ced1ec5c7602158386945977d21ae2bf8499b605546bcc56';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_leave_all() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path=pg_catalog, pg_temp
AS $body$
BEGIN
    IF TG_RELID <> '@schema@.customers_customer'::regclass THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: this function belongs to customers_customer';
    END IF;
    INSERT INTO @schema@.customers_unscoredversion
        (customer_id, arrived_at, version, edited_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member)
    SELECT former.customer_id, former.arrived_at, former.version,
        GREATEST(former.stale_since, former.edited_at), former.edited_by,
        former.credit_score, former.geography, former.gender, former.age, former.tenure, former.balance, former.num_of_products, former.has_cr_card, former.is_active_member FROM @schema@.customers_customer AS former WHERE former.stale_since IS NOT NULL;
    RETURN NULL;
END
$body$;
ALTER FUNCTION @schema@.vigilpay_leave_all() OWNER TO @owner@;
REVOKE ALL ON FUNCTION @schema@.vigilpay_leave_all() FROM PUBLIC;
CREATE OR REPLACE TRIGGER vigilpay_leave_all
BEFORE TRUNCATE ON @schema@.customers_customer
FOR EACH STATEMENT
EXECUTE FUNCTION @schema@.vigilpay_leave_all();
ALTER TABLE @schema@.customers_customer ENABLE ALWAYS TRIGGER vigilpay_leave_all;
COMMENT ON TRIGGER vigilpay_leave_all ON @schema@.customers_customer IS '08d9a2ead8c431d468a33b275335a2506c6893cce03e353e6b9fd43a508a0745';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_released() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path=pg_catalog, pg_temp
AS $body$
BEGIN
    IF TG_RELID <> '@schema@.customers_modelrelease'::regclass THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: this function belongs to customers_modelrelease';
    END IF;
    INSERT INTO @schema@.customers_stalemark (kind, ids) VALUES (7, ARRAY[0]);
    IF current_setting('vigilpay.notify', true) IS DISTINCT FROM 'off' THEN
        NOTIFY vigilpay_stale;
    END IF;
    RETURN NULL;
END
$body$;
ALTER FUNCTION @schema@.vigilpay_released() OWNER TO @owner@;
REVOKE ALL ON FUNCTION @schema@.vigilpay_released() FROM PUBLIC;
CREATE OR REPLACE TRIGGER vigilpay_released
AFTER INSERT OR DELETE ON @schema@.customers_modelrelease
FOR EACH STATEMENT
EXECUTE FUNCTION @schema@.vigilpay_released();
ALTER TABLE @schema@.customers_modelrelease ENABLE ALWAYS TRIGGER vigilpay_released;
COMMENT ON TRIGGER vigilpay_released ON @schema@.customers_modelrelease IS 'dc256d6f7a7188926e3e1f3a7b64507cdcfde83d6e77873340cdba2b81a80e55';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
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
ALTER TABLE @schema@.customers_scorerecord ENABLE TRIGGER vigilpay_alerted;
COMMENT ON TRIGGER vigilpay_alerted ON @schema@.customers_scorerecord IS 'da1e098331d2f72ba2bee42840e713553829f991623c3793ab23d31564fcdc18';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    DROP_FUNCTIONS,
    SWEEP,
]

FORMER_TABLE = """
DROP TRIGGER vigilpay_3_arrived ON customers_customer;
DROP TRIGGER vigilpay_4_edited ON customers_customer;
DROP TRIGGER vigilpay_5_replicated ON customers_customer;
DROP TRIGGER zzz_vigilpay_stamp ON customers_customer;
DROP FUNCTION zzz_vigilpay_stamp();
DROP FUNCTION vigilpay_3_arrived(), vigilpay_4_edited(), vigilpay_5_replicated();
DROP TABLE customers_stalemark;
CREATE UNLOGGED TABLE customers_stalemark (id bigint PRIMARY KEY, first_id bigint NOT NULL, last_id bigint NOT NULL);
CREATE UNLOGGED SEQUENCE customers_stalemark_id_seq OWNED BY customers_stalemark.id;
CREATE UNLOGGED SEQUENCE customers_stalemark_intact OWNED BY customers_stalemark.id;
GRANT INSERT ON customers_stalemark TO PUBLIC;
GRANT USAGE ON SEQUENCE customers_stalemark_id_seq TO PUBLIC;
GRANT SELECT ON events_watch TO PUBLIC;
DROP SEQUENCE events_awake;
"""
# A trigger that is replaced stays as it was enabled.
AS_THEY_FIRED = """
ALTER TABLE customers_customer ENABLE TRIGGER vigilpay_0_arrive;
ALTER TABLE customers_customer ENABLE TRIGGER vigilpay_1_guard;
ALTER TABLE customers_customer ENABLE TRIGGER vigilpay_2_stamp;
ALTER TABLE customers_modelrelease ENABLE TRIGGER vigilpay_released;
ALTER TABLE customers_customer ENABLE TRIGGER vigilpay_leave_all;
GRANT EXECUTE ON FUNCTION vigilpay_released(), vigilpay_leave(), vigilpay_leave_all() TO PUBLIC;
"""
UNINSTALL = [
    LOCK,
    FORMER_TABLE,
    *MARKS.INSTALL[:4],  # the sequence, and the functions that the stamp calls
    *REASONS.INSTALL[:2],  # arrive and guard
    *MARKS.INSTALL[6:8],  # stamp and released
    *LIVES.INSTALL[1:],  # what keeps former lives, and alerts that know of them
    AS_THEY_FIRED,
    MARKS.INSTALL[-1],
]


class Migration(migrations.Migration):
    dependencies = [("customers", "0012_marks_are_arrays"), ("events", "0010_lives")]
    operations = [migrations.RunSQL(INSTALL, UNINSTALL)]
