"""Rights to the settings of scorer and editors, objections to being scored, and the feed of changed scores. Frozen.

One transaction replaces the triggers, while editors wait and readers do not: none is left between two versions. Locks
are asked for with little patience, again and again, so that editors who wait behind this wait no longer than that.
Going back withdraws all objections first: triggers of that time would score their customers unseen.
"""

from importlib import import_module

from django.db import migrations, models

FORMER = import_module("events.migrations.0012_marks_are_arrays")

LOCK = """DO $lock$ BEGIN
    SET LOCAL lock_timeout = '500ms';
    FOR attempt IN 1..60 LOOP
        BEGIN
            LOCK TABLE customers_customer, customers_scorerecord IN SHARE ROW EXCLUSIVE MODE;
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
    NEW.stale_since := CASE WHEN NEW.objected_at IS NULL THEN pg_catalog.statement_timestamp() END;
    NEW.edited_at := CASE WHEN NEW.objected_at IS NOT NULL THEN pg_catalog.statement_timestamp() END;
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
COMMENT ON TRIGGER vigilpay_0_arrive ON @schema@.customers_customer IS '4366eeb4f033ffe101eba5df8989400a5cdd864af47cf346d2a48b04d8882ee6';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
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
       OR OLD.is_active_member IS DISTINCT FROM NEW.is_active_member
       OR OLD.objected_at IS DISTINCT FROM NEW.objected_at) THEN
        IF pg_catalog.current_setting('vigilpay.scorer', true) OPERATOR(pg_catalog.=) 'on' THEN
            IF pg_catalog.has_table_privilege('@schema@.customers_scorerecord'::pg_catalog.regclass, 'INSERT') THEN
                IF NEW.objected_at IS NOT NULL AND NEW.churn_risk_score IS NOT NULL THEN
                    RETURN NULL;
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
COMMENT ON TRIGGER zzz_vigilpay_stamp ON @schema@.customers_customer IS '8e786c1e0472ebab95bc1d376f7facdcba87ae32fcb4bc73bd83fc3737d47eb7';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
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
COMMENT ON TRIGGER vigilpay_4_edited ON @schema@.customers_customer IS '267afd1bb3fa47fda1ccb2a76d8e2b0e60596cc93b2f831df0c30c49641e301f';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
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
    IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND (NEW.customer_id <> OLD.customer_id
            OR NEW.objected_at IS NOT NULL AND OLD.churn_risk_score IS NOT NULL) THEN
        INSERT INTO @schema@.customers_scorechange (customer_ids) VALUES (ARRAY[OLD.customer_id]);
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
COMMENT ON TRIGGER vigilpay_5_replicated ON @schema@.customers_customer IS '3aceb3ce4b3e97935a0be2b6781dfbdca95244751b29d732618ace45583dd8ef';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
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
    INSERT INTO @schema@.customers_scorechange (customer_ids)
    SELECT array_agg(customer_id) FROM (
        SELECT customer_id, (row_number() OVER () - 1) / 200 AS piece FROM gone) AS numbered
    GROUP BY piece;
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
COMMENT ON TRIGGER vigilpay_leave ON @schema@.customers_customer IS 'cecc2cef0d63df771290ff66437beda0448b66b8fa0ee457f116bbd55bb460c4';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
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
    INSERT INTO @schema@.customers_scorechange (customer_ids)
    SELECT array_agg(customer_id) FROM (
        SELECT customer_id, (row_number() OVER () - 1) / 200 AS piece FROM @schema@.customers_customer) AS numbered
    GROUP BY piece;
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
COMMENT ON TRIGGER vigilpay_leave_all ON @schema@.customers_customer IS '265a6388655615770e10834607842a33cb41172acdcd8f4df12881cff2940639';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_6_announced() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path=pg_catalog, pg_temp
AS $body$
BEGIN
    IF TG_RELID <> '@schema@.customers_scorerecord'::regclass THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: this function belongs to customers_scorerecord';
    END IF;
    INSERT INTO @schema@.customers_scorechange (customer_ids)
    SELECT array_agg(customer_id) FROM (
        SELECT customer_id, (row_number() OVER () - 1) / 200 AS piece FROM stored) AS numbered
    GROUP BY piece;
    RETURN NULL;
END
$body$;
ALTER FUNCTION @schema@.vigilpay_6_announced() OWNER TO @owner@;
REVOKE ALL ON FUNCTION @schema@.vigilpay_6_announced() FROM PUBLIC;
CREATE OR REPLACE TRIGGER vigilpay_6_announced
AFTER INSERT ON @schema@.customers_scorerecord
REFERENCING NEW TABLE AS stored
FOR EACH STATEMENT
EXECUTE FUNCTION @schema@.vigilpay_6_announced();
ALTER TABLE @schema@.customers_scorerecord ENABLE TRIGGER vigilpay_6_announced;
COMMENT ON TRIGGER vigilpay_6_announced ON @schema@.customers_scorerecord IS '90000aa7f24b1335d4edb67885a9d56cc158caf4bc6058ea707fccd4598b62ef';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
ALTER TABLE @schema@.customers_stalemark DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON @schema@.customers_stalemark TO @owner@;
ALTER TABLE @schema@.customers_unscoredversion DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON @schema@.customers_unscoredversion TO @owner@;
ALTER TABLE @schema@.customers_scorechange DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON @schema@.customers_scorechange TO @owner@;
GRANT INSERT ON @schema@.customers_scorerecord TO @owner@;
REVOKE INSERT ON @schema@.customers_scorerecord FROM PUBLIC;
REVOKE UPDATE ON @schema@.customers_importbatch FROM PUBLIC;$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
]

WITHDRAW = "UPDATE customers_customer SET objected_at = NULL WHERE objected_at IS NOT NULL"
DROP = """
DROP TRIGGER vigilpay_2_rights ON customers_customer;
DROP TRIGGER vigilpay_6_announced ON customers_scorerecord;
DROP FUNCTION vigilpay_2_rights(), vigilpay_6_announced();
"""
UNINSTALL = [
    LOCK.replace("SHARE ROW EXCLUSIVE", "ACCESS EXCLUSIVE"),
    WITHDRAW,
    DROP,
    *(sql for sql in FORMER.INSTALL if "CREATE OR REPLACE FUNCTION" in sql),
]


class Migration(migrations.Migration):
    dependencies = [("customers", "0016_objection"), ("events", "0013_help_texts")]
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
