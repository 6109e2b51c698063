"""The triggers note which lives of customers end, and the objection of a version that no score answers; an objection takes
a shadow score away, too. Frozen.

Another id is another life, and begins without a score. Since when departures are noted stands beside them.
"""

from importlib import import_module

from django.db import migrations

FEED = import_module("events.migrations.0014_rights_objections_and_feed")
VALUE = import_module("events.migrations.0015_value_at_risk")
CLAIMS = import_module("events.migrations.0019_objections_end_claims")

INSTALL = [
    FEED.LOCK,
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
        NEW.churn_risk_score := NULL;
    NEW.value_at_risk := NULL;
    NEW.scored_version := NULL;
    NEW.scored_by_id := NULL;
    NEW.scored_at := NULL;
    NEW.contributions := NULL;
    NEW.reason_codes := NULL;
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
COMMENT ON TRIGGER zzz_vigilpay_stamp ON @schema@.customers_customer IS 'b861fbab0f1cfbbc5c73927237e401ea475820657ef9360bea82743ff79746c0';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_4_edited() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path=pg_catalog, pg_temp
AS $body$
#variable_conflict use_variable
DECLARE
    ids bigint[];
    missed bigint[];
    objectors bigint[];
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
        (customer_id, arrived_at, version, edited_at, objected_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member)
    SELECT overwritten.customer_id, overwritten.arrived_at, overwritten.version,
        GREATEST(overwritten.stale_since, overwritten.edited_at), overwritten.objected_at, overwritten.edited_by,
        overwritten.credit_score, overwritten.geography, overwritten.gender, overwritten.age, overwritten.tenure, overwritten.balance, overwritten.num_of_products, overwritten.has_cr_card, overwritten.is_active_member FROM (
            SELECT customer_id, arrived_at, version, stale_since, edited_at, objected_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member FROM former WHERE COALESCE(former.stale_since, former.objected_at) IS NOT NULL
            EXCEPT SELECT customer_id, arrived_at, version, stale_since, edited_at, objected_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member FROM changed) AS overwritten;
    END IF;
    IF unscored OR missed IS NOT NULL THEN
        INSERT INTO @schema@.customers_scorechange (customer_ids)
    SELECT array_agg(customer_id) FROM (
        SELECT customer_id, (row_number() OVER () - 1) / 200 AS piece FROM (
            SELECT customer_id FROM former WHERE churn_risk_score IS NOT NULL
            EXCEPT SELECT customer_id FROM changed WHERE churn_risk_score IS NOT NULL) AS lost) AS numbered
    GROUP BY piece;
        INSERT INTO @schema@.customers_departure (left_at, customer_ids, arrived_ats)
    SELECT clock_timestamp(), array_agg(customer_id ORDER BY customer_id), array_agg(arrived_at ORDER BY customer_id)
    FROM (SELECT customer_id, arrived_at, (row_number() OVER (ORDER BY customer_id) - 1) / 120 AS piece
        FROM (
            SELECT customer_id, arrived_at FROM former
            EXCEPT SELECT customer_id, arrived_at FROM changed) AS renamed) AS numbered
    GROUP BY piece;
        SELECT array_agg(customer_id) INTO objectors FROM (
            SELECT customer_id FROM changed WHERE objected_at IS NOT NULL
            EXCEPT SELECT customer_id FROM former WHERE objected_at IS NOT NULL) AS objecting;
        IF objectors IS NOT NULL THEN
            UPDATE @schema@.customers_contact SET score = NULL, reason_codes = NULL, release_id = NULL
            WHERE customer_id = ANY (objectors) AND num_nonnulls(score, reason_codes, release_id) > 0;
            UPDATE @schema@.customers_worklistitem
            SET done_at = COALESCE(done_at, statement_timestamp()), score = NULL, value_at_risk = NULL
            WHERE customer_id = ANY (objectors);
            DELETE FROM @schema@.customers_recentmove WHERE customer_id = ANY (objectors);
            DELETE FROM @schema@.customers_shadowscore WHERE customer_id = ANY (objectors);
            INSERT INTO @schema@.customers_shadowwait (customer_ids)
            SELECT objectors WHERE EXISTS (SELECT FROM @schema@.customers_shadowrun WHERE is_on);
        END IF;
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
COMMENT ON TRIGGER vigilpay_4_edited ON @schema@.customers_customer IS '03532b6f0fcb680172c73e24449ff95ef3fce5e1b7f38df02ccac65cf1c2cfea';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_5_replicated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path=pg_catalog, pg_temp
AS $body$
#variable_conflict use_variable
DECLARE
    ids bigint[] := ARRAY[NEW.customer_id];
    objectors bigint[];
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
    IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND NEW.customer_id <> OLD.customer_id THEN
        INSERT INTO @schema@.customers_departure (left_at, customer_ids, arrived_ats)
        VALUES (clock_timestamp(), ARRAY[OLD.customer_id], ARRAY[OLD.arrived_at]);
    END IF;
    IF TG_OP = 'DELETE' THEN
        IF COALESCE(OLD.stale_since, OLD.objected_at) IS NOT NULL THEN
            INSERT INTO @schema@.customers_unscoredversion
        (customer_id, arrived_at, version, edited_at, objected_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member)
    SELECT OLD.customer_id, OLD.arrived_at, OLD.version,
        GREATEST(OLD.stale_since, OLD.edited_at), OLD.objected_at, OLD.edited_by,
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
        (customer_id, arrived_at, version, edited_at, objected_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member)
    SELECT OLD.customer_id, OLD.arrived_at, OLD.version,
        GREATEST(OLD.stale_since, OLD.edited_at), OLD.objected_at, OLD.edited_by,
        OLD.credit_score, OLD.geography, OLD.gender, OLD.age, OLD.tenure, OLD.balance, OLD.num_of_products, OLD.has_cr_card, OLD.is_active_member;
        END IF;
        IF NEW.objected_at IS NOT NULL AND OLD.objected_at IS NULL THEN
            objectors := ids;
        END IF;
        IF objectors IS NOT NULL THEN
            UPDATE @schema@.customers_contact SET score = NULL, reason_codes = NULL, release_id = NULL
            WHERE customer_id = ANY (objectors) AND num_nonnulls(score, reason_codes, release_id) > 0;
            UPDATE @schema@.customers_worklistitem
            SET done_at = COALESCE(done_at, statement_timestamp()), score = NULL, value_at_risk = NULL
            WHERE customer_id = ANY (objectors);
            DELETE FROM @schema@.customers_recentmove WHERE customer_id = ANY (objectors);
            DELETE FROM @schema@.customers_shadowscore WHERE customer_id = ANY (objectors);
            INSERT INTO @schema@.customers_shadowwait (customer_ids)
            SELECT objectors WHERE EXISTS (SELECT FROM @schema@.customers_shadowrun WHERE is_on);
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
COMMENT ON TRIGGER vigilpay_5_replicated ON @schema@.customers_customer IS '73050de73b80c88a67c760117bfa0e7fc525b901240fdd883ba0ceae6a432948';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_leave() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path=pg_catalog, pg_temp
AS $body$
BEGIN
    IF TG_RELID <> '@schema@.customers_customer'::regclass THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: this function belongs to customers_customer';
    END IF;
    INSERT INTO @schema@.customers_unscoredversion
        (customer_id, arrived_at, version, edited_at, objected_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member)
    SELECT former.customer_id, former.arrived_at, former.version,
        GREATEST(former.stale_since, former.edited_at), former.objected_at, former.edited_by,
        former.credit_score, former.geography, former.gender, former.age, former.tenure, former.balance, former.num_of_products, former.has_cr_card, former.is_active_member FROM gone AS former WHERE COALESCE(former.stale_since, former.objected_at) IS NOT NULL;
    INSERT INTO @schema@.customers_departure (left_at, customer_ids, arrived_ats)
    SELECT clock_timestamp(), array_agg(customer_id ORDER BY customer_id), array_agg(arrived_at ORDER BY customer_id)
    FROM (SELECT customer_id, arrived_at, (row_number() OVER (ORDER BY customer_id) - 1) / 120 AS piece
        FROM gone) AS numbered
    GROUP BY piece;
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
COMMENT ON TRIGGER vigilpay_leave ON @schema@.customers_customer IS 'dce5f301b0a332f6a6f77dd7af27301a1f5465c5f414f727ea278f8c21a38301';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
CREATE OR REPLACE FUNCTION @schema@.vigilpay_leave_all() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path=pg_catalog, pg_temp
AS $body$
BEGIN
    IF TG_RELID <> '@schema@.customers_customer'::regclass THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: this function belongs to customers_customer';
    END IF;
    INSERT INTO @schema@.customers_unscoredversion
        (customer_id, arrived_at, version, edited_at, objected_at, edited_by, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member)
    SELECT former.customer_id, former.arrived_at, former.version,
        GREATEST(former.stale_since, former.edited_at), former.objected_at, former.edited_by,
        former.credit_score, former.geography, former.gender, former.age, former.tenure, former.balance, former.num_of_products, former.has_cr_card, former.is_active_member FROM @schema@.customers_customer AS former WHERE COALESCE(former.stale_since, former.objected_at) IS NOT NULL;
    INSERT INTO @schema@.customers_departure (left_at, customer_ids, arrived_ats)
    SELECT clock_timestamp(), array_agg(customer_id ORDER BY customer_id), array_agg(arrived_at ORDER BY customer_id)
    FROM (SELECT customer_id, arrived_at, (row_number() OVER (ORDER BY customer_id) - 1) / 120 AS piece
        FROM @schema@.customers_customer) AS numbered
    GROUP BY piece;
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
COMMENT ON TRIGGER vigilpay_leave_all ON @schema@.customers_customer IS '11aa65d7a1bc48b2c360d955b81d2729b29d1f7cf9141826cf7818deb58c337d';$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
ALTER TABLE @schema@.customers_departure DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON @schema@.customers_departure TO @owner@;$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """DO $install$ BEGIN EXECUTE replace(replace($sql$
ALTER TABLE @schema@.customers_shadowscore DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
GRANT SELECT, DELETE ON @schema@.customers_shadowscore TO @owner@;
ALTER TABLE @schema@.customers_shadowwait DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON @schema@.customers_shadowwait TO @owner@;
ALTER TABLE @schema@.customers_shadowrun DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
GRANT SELECT ON @schema@.customers_shadowrun TO @owner@;$sql$, '@schema@', quote_ident(current_schema())), '@owner@', (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass)); END $install$;""",
    """INSERT INTO customers_historyextent (id, complete_since) VALUES (1, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET complete_since = excluded.complete_since""",
]

UNINSTALL = [
    FEED.LOCK,
    *CLAIMS.former(VALUE, "zzz_vigilpay_stamp"),
    *CLAIMS.former(CLAIMS, "vigilpay_4_edited"),
    *CLAIMS.former(CLAIMS, "vigilpay_5_replicated"),
    *CLAIMS.former(FEED, "vigilpay_leave"),
    *CLAIMS.former(FEED, "vigilpay_leave_all"),
]


class Migration(migrations.Migration):
    dependencies = [("customers", "0030_shadow_scoring"), ("events", "0021_open_categories")]
    operations = [migrations.RunPython(CLAIMS.run(INSTALL), CLAIMS.run(UNINSTALL))]
