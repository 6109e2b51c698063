"""The triggers as first declared. Frozen: events/triggers.py may move on, this file does not."""

from django.db import migrations

INSTALL = [
    """CREATE OR REPLACE FUNCTION vigilpay_0_arrive() RETURNS trigger
LANGUAGE plpgsql
AS $body$
BEGIN
    NEW.version := 1;
    NEW.stale_since := statement_timestamp();
    NEW.churn_risk_score := NULL;
    NEW.scored_version := NULL;
    NEW.scored_by_id := NULL;
    NEW.scored_at := NULL;
    RETURN NEW;
END
$body$;
CREATE OR REPLACE TRIGGER vigilpay_0_arrive
BEFORE INSERT ON customers_customer
FOR EACH ROW
EXECUTE FUNCTION vigilpay_0_arrive();
COMMENT ON TRIGGER vigilpay_0_arrive ON customers_customer IS 'f1397dcbbbf2b86f6b375a3e13b421e41ea0d420d57d044057d7ffdb56581731';
""",
    """CREATE OR REPLACE FUNCTION vigilpay_1_guard() RETURNS trigger
LANGUAGE plpgsql
AS $body$
BEGIN
    NEW.version := OLD.version;
    NEW.stale_since := OLD.stale_since;
    NEW.churn_risk_score := OLD.churn_risk_score;
    NEW.scored_version := OLD.scored_version;
    NEW.scored_by_id := OLD.scored_by_id;
    NEW.scored_at := OLD.scored_at;
    RETURN NEW;
END
$body$;
CREATE OR REPLACE TRIGGER vigilpay_1_guard
BEFORE UPDATE OF version, stale_since, churn_risk_score, scored_version, scored_by_id, scored_at ON customers_customer
FOR EACH ROW
WHEN (current_setting('vigilpay.scorer', true) IS DISTINCT FROM 'on')
EXECUTE FUNCTION vigilpay_1_guard();
COMMENT ON TRIGGER vigilpay_1_guard ON customers_customer IS '3ee1ad79eaa2ad271b2bb7c9e9cdceef370cb5396be5323a36d41673fbc9f2fd';
""",
    """CREATE OR REPLACE FUNCTION vigilpay_2_stamp() RETURNS trigger
LANGUAGE plpgsql
AS $body$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.stale_since := COALESCE(OLD.stale_since, statement_timestamp());
    RETURN NEW;
END
$body$;
CREATE OR REPLACE TRIGGER vigilpay_2_stamp
BEFORE UPDATE OF credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member ON customers_customer
FOR EACH ROW
WHEN (OLD.credit_score IS DISTINCT FROM NEW.credit_score
   OR OLD.geography IS DISTINCT FROM NEW.geography
   OR OLD.gender IS DISTINCT FROM NEW.gender
   OR OLD.age IS DISTINCT FROM NEW.age
   OR OLD.tenure IS DISTINCT FROM NEW.tenure
   OR OLD.balance IS DISTINCT FROM NEW.balance
   OR OLD.num_of_products IS DISTINCT FROM NEW.num_of_products
   OR OLD.has_cr_card IS DISTINCT FROM NEW.has_cr_card
   OR OLD.is_active_member IS DISTINCT FROM NEW.is_active_member)
EXECUTE FUNCTION vigilpay_2_stamp();
COMMENT ON TRIGGER vigilpay_2_stamp ON customers_customer IS '91f68cfbdf20f166d7a4ae737c32b5ed02bed72655756a80c2772b30b0264c60';
""",
    """CREATE OR REPLACE FUNCTION vigilpay_3_knock() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $body$
BEGIN
    IF NOT EXISTS (SELECT FROM events_watch WHERE awake_until > clock_timestamp()) THEN
        NOTIFY vigilpay_stale;
    END IF;
    RETURN NULL;
END
$body$;
CREATE OR REPLACE TRIGGER vigilpay_3_knock
AFTER INSERT OR UPDATE OF credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card, is_active_member ON customers_customer
FOR EACH STATEMENT
EXECUTE FUNCTION vigilpay_3_knock();
COMMENT ON TRIGGER vigilpay_3_knock ON customers_customer IS '14f1581c55d7fb09cc4284973234617678311f910f28388f8e78b62c559bf17b';
""",
]

UNINSTALL = [
    "DROP TRIGGER IF EXISTS vigilpay_0_arrive ON customers_customer; DROP FUNCTION IF EXISTS vigilpay_0_arrive();",
    "DROP TRIGGER IF EXISTS vigilpay_1_guard ON customers_customer; DROP FUNCTION IF EXISTS vigilpay_1_guard();",
    "DROP TRIGGER IF EXISTS vigilpay_2_stamp ON customers_customer; DROP FUNCTION IF EXISTS vigilpay_2_stamp();",
    "DROP TRIGGER IF EXISTS vigilpay_3_knock ON customers_customer; DROP FUNCTION IF EXISTS vigilpay_3_knock();",
]


class Migration(migrations.Migration):
    dependencies = [("customers", "0001_initial"), ("events", "0001_initial")]
    operations = [migrations.RunSQL(INSTALL, UNINSTALL)]
