"""Triggers that know of objections to being scored. Frozen.

One transaction replaces them, while editors wait: none is left between two versions. The lock is asked for with little
patience, again and again, so that editors who wait behind this wait no longer than that. Going back withdraws all
objections first: triggers of that time would score their customers unseen.
"""

from importlib import import_module

from django.db import migrations

MARKS = import_module("events.migrations.0012_marks_are_arrays")

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
    NEW.arrived_at := clock_timestamp();
    NEW.version := 1;
    NEW.stale_since := CASE WHEN NEW.objected_at IS NULL THEN statement_timestamp() END;
    NEW.edited_at := CASE WHEN NEW.objected_at IS NOT NULL THEN statement_timestamp() END;
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
COMMENT ON TRIGGER vigilpay_0_arrive ON @schema@.customers_customer IS '9e3431eaddf2d3d451e7303c25201dc6685a618e29591b3fc80566db4ca39d14';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
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
        ELSIF NEW.objected_at IS NOT NULL AND NEW.churn_risk_score IS NOT NULL THEN
            RETURN NULL;
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
    IF COALESCE(NEW.objected_at, OLD.objected_at) IS NOT NULL THEN
        NEW.edited_at := statement_timestamp();
        IF NEW.objected_at IS NOT NULL THEN
    NEW.stale_since := NULL;
    NEW.churn_risk_score := NULL;
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
COMMENT ON TRIGGER zzz_vigilpay_stamp ON @schema@.customers_customer IS 'b01a402e3f2e474ebea50a1d76f0897fb3a9085574746e32a8ac7ec0b52abebf';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
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
    INTO ids, missed FROM changed WHERE objected_at IS NULL;
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
ALTER FUNCTION @schema@.vigilpay_3_arrived() OWNER TO @owner@;
REVOKE ALL ON FUNCTION @schema@.vigilpay_3_arrived() FROM PUBLIC;
CREATE OR REPLACE TRIGGER vigilpay_3_arrived
AFTER INSERT ON @schema@.customers_customer
REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT
EXECUTE FUNCTION @schema@.vigilpay_3_arrived();
ALTER TABLE @schema@.customers_customer ENABLE TRIGGER vigilpay_3_arrived;
COMMENT ON TRIGGER vigilpay_3_arrived ON @schema@.customers_customer IS '831dd89728ab7bbb17e0d5a91d5e4e86964af96bd98b3e9a152fa2ab34b44e87';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
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
    SELECT array_agg(customer_id) FILTER (WHERE COALESCE(stale_since, objected_at) IS NOT NULL AND statement_timestamp() IN (stale_since, edited_at) AND objected_at IS NULL), bool_and((COALESCE(stale_since, objected_at) IS NOT NULL AND statement_timestamp() IN (stale_since, edited_at)) IS TRUE),
        bool_or(edited_at = statement_timestamp())
    INTO ids, sure, overwritten FROM changed;
    IF NOT sure AND current_setting('vigilpay.scorer', true) = 'on' THEN
        SELECT array_agg(customer_id) INTO missed FROM (
            SELECT customer_id, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member FROM changed WHERE (COALESCE(stale_since, objected_at) IS NOT NULL AND statement_timestamp() IN (stale_since, edited_at)) IS NOT TRUE
            EXCEPT SELECT customer_id, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member FROM former) AS missing;
    ELSIF NOT sure THEN
        SELECT array_agg(customer_id) INTO missed FROM (
            SELECT customer_id, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member, arrived_at, version, stale_since, edited_at, edited_by, churn_risk_score, scored_version, scored_by_id, scored_at, contributions, reason_codes FROM changed WHERE (COALESCE(stale_since, objected_at) IS NOT NULL AND statement_timestamp() IN (stale_since, edited_at)) IS NOT TRUE
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
            SELECT customer_id, arrived_at, version, stale_since, edited_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member FROM former WHERE COALESCE(former.stale_since, former.objected_at) IS NOT NULL
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
COMMENT ON TRIGGER vigilpay_4_edited ON @schema@.customers_customer IS '682d27b82ac7af948d3ee75edee8b30ef9b3edb9c31c97d0adfc11fae1d71bba';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
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
        IF COALESCE(OLD.stale_since, OLD.objected_at) IS NOT NULL THEN
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
        IF COALESCE(OLD.stale_since, OLD.objected_at) IS NOT NULL THEN
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
COMMENT ON TRIGGER vigilpay_5_replicated ON @schema@.customers_customer IS '839a7dc0965c52698cb83ca0ea7584f89d8f4510a2dc48b8c82cf0bced81eb89';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
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
        former.credit_score, former.geography, former.gender, former.age, former.tenure, former.balance, former.num_of_products, former.has_cr_card, former.is_active_member FROM gone AS former WHERE COALESCE(former.stale_since, former.objected_at) IS NOT NULL;
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
COMMENT ON TRIGGER vigilpay_leave ON @schema@.customers_customer IS 'd1eafe57aed4d129e209725920996d3f028cb42ef47138fe2d8164c58fa521ca';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
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
        former.credit_score, former.geography, former.gender, former.age, former.tenure, former.balance, former.num_of_products, former.has_cr_card, former.is_active_member FROM @schema@.customers_customer AS former WHERE COALESCE(former.stale_since, former.objected_at) IS NOT NULL;
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
COMMENT ON TRIGGER vigilpay_leave_all ON @schema@.customers_customer IS '6ab065ffd7abac673f98509e18cedfa75b968054483f64f6cc10f525391454e7';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
]
WITHDRAW = "UPDATE customers_customer SET objected_at = NULL WHERE objected_at IS NOT NULL"
REPLACED = (
    *("vigilpay_0_arrive", "zzz_vigilpay_stamp", "vigilpay_3_arrived", "vigilpay_4_edited", "vigilpay_5_replicated"),
    *("vigilpay_leave", "vigilpay_leave_all"),
)
FORMER = [
    statement
    for statement in MARKS.INSTALL
    if any(f"CREATE OR REPLACE FUNCTION @schema@.{name}()" in statement for name in REPLACED)
]
UNINSTALL = [LOCK, WITHDRAW, *FORMER]


class Migration(migrations.Migration):
    dependencies = [("customers", "0017_objection"), ("events", "0013_help_texts")]
    operations = [migrations.RunSQL(INSTALL, UNINSTALL)]
