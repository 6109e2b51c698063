"""What roles that are none of VigilPay's try with its tables: the database itself is the last wall."""

from contextlib import contextmanager

import pytest
from django.db import connection, transaction
from psycopg.errors import InsufficientPrivilege

from customers.models import Customer, ScoreRecord, UnscoredVersion
from customers.scoring import marks, scorer
from events.triggers.definitions import TRIGGERS
from tests.factories import forget_marks, make_customer, make_scored
from tests.security.strangers import role, session
from vigilpay.database_roles.rights import our_tables

pytestmark = pytest.mark.django_db(transaction=True)

EDITS = "GRANT SELECT, INSERT, UPDATE, DELETE ON customers_customer"
SCORER = "SET vigilpay.scorer TO 'on'"
EVIL_PATH = "SET search_path TO evil, pg_catalog, public"
# What a session with a schema of its own may put in front of PostgreSQL's.
EVIL = """
CREATE FUNCTION evil.has_table_privilege(regclass, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION evil.has_table_privilege(oid, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION evil.current_setting(text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT 'on' $$;
CREATE FUNCTION evil.left(text, integer) RETURNS text LANGUAGE sql AS $$ SELECT 'django:1' $$;
CREATE FUNCTION evil.concat(text, name) RETURNS text LANGUAGE sql AS $$ SELECT 'django:1' $$;
CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '1999-01-01'::timestamptz $$;
CREATE FUNCTION evil.statement_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '1999-01-01'::timestamptz $$;
CREATE FUNCTION evil.yes(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR evil.= (FUNCTION = evil.yes, LEFTARG = text, RIGHTARG = text);
CREATE FUNCTION evil.same(smallint, smallint) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR evil.= (FUNCTION = evil.same, LEFTARG = smallint, RIGHTARG = smallint);
CREATE FUNCTION evil.one(bigint, integer) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
CREATE OPERATOR evil.+ (FUNCTION = evil.one, LEFTARG = bigint, RIGHTARG = integer);
"""
# The UPDATE of a trigger on a table of one's own: one level deeper.
DEEPER = (
    "CREATE TEMP TABLE mine (id int)",
    """CREATE FUNCTION pg_temp.edit() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE x text; BEGIN
        UPDATE public.customers_customer SET {} RETURNING set_config('vigilpay.scorer', 'on', true) INTO x;
        RETURN NULL; END $$""",
    "CREATE TRIGGER edit AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION pg_temp.edit()",
    "INSERT INTO mine VALUES (1)",
)
A_SCORE = "churn_risk_score = 0.0123"
LATE = "RETURNING set_config('vigilpay.scorer', 'on', true)"
FORGED_INSERT = """
INSERT INTO customers_customer (customer_id, surname, credit_score, geography, gender, age, tenure, balance,
    num_of_products, has_cr_card, is_active_member, churn_risk_score, version, scored_version, scored_by_id,
    stale_since)
SELECT customer_id{}, surname, credit_score, geography, gender, age, tenure, balance, num_of_products, has_cr_card,
    is_active_member, 0.0123, 1, 1, scored_by_id, NULL FROM customers_customer
"""

FORGERIES = {
    "by a setting": (SCORER, f"UPDATE customers_customer SET {A_SCORE}"),
    "by a setting of one transaction": ("BEGIN", SCORER, f"UPDATE customers_customer SET {A_SCORE}", "COMMIT"),
    "by a setting within the statement": (
        "UPDATE customers_customer SET churn_risk_score = "
        "CASE set_config('vigilpay.scorer', 'on', true) WHEN 'on' THEN 0.0123 END",
    ),
    "by a setting after the row": (f"UPDATE customers_customer SET {A_SCORE} {LATE}",),
    "old score, new values": (
        SCORER,
        "UPDATE customers_customer SET age = 90",
        "UPDATE customers_customer SET stale_since = NULL, scored_version = version, churn_risk_score = 0.0123",
    ),
    "at once": (SCORER, f"UPDATE customers_customer SET age = 90, version = 1, stale_since = NULL, {A_SCORE}"),
    "version turned back": (
        SCORER,
        "UPDATE customers_customer SET age = 90",
        "UPDATE customers_customer SET version = 1",
    ),
    "reasons": (SCORER, "UPDATE customers_customer SET reason_codes = '{1}', contributions = NULL"),
    "another model": (SCORER, "UPDATE customers_customer SET scored_by_id = scored_by_id + 1, scored_at = now()"),
    "by MERGE": (
        SCORER,
        f"MERGE INTO customers_customer USING (VALUES (1)) AS x (y) ON true WHEN MATCHED THEN UPDATE SET {A_SCORE}",
    ),
    "by an upsert": (SCORER, FORGED_INSERT.format("") + f"ON CONFLICT (customer_id) DO UPDATE SET {A_SCORE}"),
    "as a new row": (SCORER, FORGED_INSERT.format(" + 1000")),
    "by a reload": (
        SCORER,
        "CREATE TEMP TABLE kept AS SELECT * FROM customers_customer",
        "DELETE FROM customers_customer",
        "UPDATE kept SET churn_risk_score = 0.0123, age = 90",
        "INSERT INTO customers_customer SELECT * FROM kept",
    ),
    "one level deeper": (SCORER, *(part.format(A_SCORE) for part in DEEPER)),
    "with functions and operators of its own": (EVIL, EVIL_PATH, SCORER, f"UPDATE customers_customer SET {A_SCORE}"),
    "with those, new values": (
        EVIL,
        EVIL_PATH,
        SCORER,
        f"UPDATE customers_customer SET age = 90, version = 7, scored_version = 7, {A_SCORE} {LATE}",
    ),
    "with those, one level deeper": (
        EVIL,
        EVIL_PATH,
        SCORER,
        *(part.format(f"age = 90, stale_since = NULL, {A_SCORE}") for part in DEEPER),
    ),
    "through a view": (SCORER, f"UPDATE evil.customers SET {A_SCORE}"),
    "by its own name for another setting": ("SET vigilpay.Scorer TO 'on'", f"UPDATE customers_customer SET {A_SCORE}"),
}


@pytest.fixture
def application():
    with role("vp_app", EDITS) as name, connection.cursor() as cursor:
        cursor.execute(f'CREATE SCHEMA evil AUTHORIZATION "{name}"')
        cursor.execute("CREATE VIEW evil.customers AS SELECT * FROM customers_customer")
        cursor.execute(f'GRANT ALL ON evil.customers TO "{name}"')
        yield name
        cursor.execute("DROP SCHEMA evil CASCADE")


def attack(name, *statements):
    """As far as PostgreSQL lets the role."""
    with session(name) as stranger:
        for statement in statements:
            try:
                stranger.execute(statement)
            except InsufficientPrivilege as error:
                return error
    return None


def what_a_score_answers(customer_id):
    columns = ("age", "version", "scored_version", "scored_by_id", "churn_risk_score", "contributions", "reason_codes")
    return Customer.objects.values_list(*columns).get(pk=customer_id)


class TestScores:
    @pytest.mark.parametrize("way", FORGERIES)
    def test_no_application_stores_one_or_keeps_one_beside_other_values(self, application, way):
        scored = make_scored()
        before = what_a_score_answers(scored.pk)
        attack(application, *FORGERIES[way])
        for customer in Customer.objects.all():
            assert customer.churn_risk_score != 0.0123
            is_as_before = customer.pk == scored.pk and what_a_score_answers(scored.pk) == before
            assert customer.stale_since is not None or is_as_before

        while scorer.rescore_batch().claimed:
            pass
        for customer in Customer.objects.all():  # and the next score is the model's
            record = ScoreRecord.objects.filter(customer_id=customer.pk).first()
            assert customer.is_current()
            assert (customer.churn_risk_score, customer.version) == (record.score, record.version)
            assert record.age == customer.age

    def test_an_edit_moves_the_version_by_one_and_no_further_whatever_stands_in_front_of_postgresqls(self, application):
        """Turned back, it would let in a late score of other values."""
        customer = make_scored()
        attack(application, EVIL, EVIL_PATH, "UPDATE customers_customer SET balance = 1")
        edited = Customer.objects.get()
        assert (edited.version, edited.arrived_at) == (2, customer.arrived_at)
        assert edited.stale_since.year > 1999

    def test_what_a_trigger_of_the_banks_writes_counts_no_more_for_a_role_that_says_it_is_the_scorer(self, application):
        scored = make_scored()
        before = what_a_score_answers(scored.pk)
        with bank_trigger("bank", "UPDATE", "NEW.churn_risk_score := 0.0123"):
            attack(application, SCORER, "UPDATE customers_customer SET surname = 'Married'")
        assert what_a_score_answers(scored.pk) == before
        assert not Customer.objects.stale().exists()

    def test_the_attacks_do_what_they_should_for_a_role_that_has_the_right(self, application):
        """Or the tests above would prove nothing."""
        customer = make_scored()
        with connection.cursor() as cursor:
            cursor.execute(f'GRANT INSERT ON customers_scorerecord TO "{application}"')
        attack(application, *FORGERIES["by a setting"])
        customer.refresh_from_db()
        assert customer.churn_risk_score == 0.0123

    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO customers_scorerecord (customer_id, score, version, scored_by_id) VALUES (1, 0.5, 1, 1)",
            "UPDATE customers_scorerecord SET score = 0.5",
            "INSERT INTO customers_modelrelease (sha256, fingerprint, metadata) VALUES ('', '', '{}')",
            "INSERT INTO django_q_ormq (key, payload) VALUES ('vigilpay', '')",
            "ALTER TABLE customers_customer DISABLE TRIGGER ALL",
            "DROP TRIGGER zzz_vigilpay_stamp ON customers_customer",
            "CREATE TRIGGER zzzz AFTER UPDATE ON customers_customer EXECUTE FUNCTION vigilpay_leave()",
            "SET session_replication_role TO replica",
        ],
    )
    def test_an_application_gets_nowhere_else(self, application, statement):
        assert attack(application, statement) is not None


IN_ANOTHERS_NAME = {
    "by a setting": ("SET vigilpay.editor TO 'django:1'", "UPDATE customers_customer SET age = 90"),
    "within the statement": (
        "UPDATE customers_customer SET age = "
        "CASE set_config('vigilpay.editor', 'django:1', true) WHEN '' THEN 1 ELSE 90 END",
    ),
    "as the scorer": (SCORER, "UPDATE customers_customer SET edited_by = 'django:1', age = 90"),
    "with a column": ("UPDATE customers_customer SET edited_by = 'django:1', age = 90",),
    "with functions of its own": (
        EVIL,
        EVIL_PATH,
        "SET vigilpay.editor TO 'django:1'",
        "UPDATE customers_customer SET credit_score = 700, balance = 1",
    ),
}


class TestEditors:
    @pytest.mark.parametrize("way", IN_ANOTHERS_NAME)
    def test_no_application_edits_in_the_name_of_a_user(self, application, way):
        make_scored()
        attack(application, *IN_ANOTHERS_NAME[way])
        assert Customer.objects.get().edited_by == f"sql:{application}"

    def test_nor_does_it_add_customers_in_one(self, application):
        make_scored()
        attack(application, "SET vigilpay.editor TO 'django:1'", FORGED_INSERT.format(" + 1000"))
        assert Customer.objects.latest("arrived_at").edited_by == f"sql:{application}"

    @pytest.mark.parametrize("event", ["UPDATE", "INSERT"])
    def test_nor_where_a_trigger_of_the_banks_behind_ours_has_the_row_mended(self, application, event):
        make_scored()
        change = "NEW.tenure := (NEW.tenure + 1) % 10" if event == "UPDATE" else "NEW.stale_since := NULL"
        change += "; NEW.scored_version := NEW.version; NEW.churn_risk_score := 0.5; NEW.value_at_risk := 1"
        edit = (
            "UPDATE customers_customer SET surname = 'Married'"
            if event == "UPDATE"
            else FORGED_INSERT.format(" + 1000")
        )
        with bank_trigger("zzzz_bank", event, change):
            attack(application, "SET vigilpay.editor TO 'django:1'", edit)
        edited = Customer.objects.latest("version", "arrived_at")
        assert (edited.version, edited.edited_by) == (2, f"sql:{application}")


@contextmanager
def bank_trigger(name, event, change):
    with connection.cursor() as cursor:
        body = f"BEGIN {change}; RETURN NEW; END"
        cursor.execute(f"CREATE FUNCTION bank() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
        cursor.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON customers_customer FOR EACH ROW EXECUTE FUNCTION bank()"
        )
        yield
        cursor.execute("DROP FUNCTION bank() CASCADE")


# Some never were settings of ours.
SETTINGS = ["vigilpay.marked TO '63 0 1'", "vigilpay.small_edits TO 'off'", "vigilpay.notify TO off", SCORER[4:]]


class TestMarksAndHistory:
    @pytest.mark.parametrize("setting", [*SETTINGS, "search_path TO evil, pg_catalog, public"])
    def test_no_setting_keeps_an_edit_from_leaving_its_mark(self, application, setting):
        customer = make_scored()
        forget_marks()
        attack(application, EVIL, f"SET {setting}", "UPDATE public.customers_customer SET age = 90")
        assert {*marks_of_edits()} == {customer.pk}

    @pytest.mark.parametrize("edit", [("UPDATE customers_customer SET age = 90 " + LATE,), None])
    def test_no_setting_keeps_the_version_that_an_edit_overwrites_from_the_history(self, application, edit):
        make_customer(age=40)
        attack(application, SCORER, *(edit or (part.format("age = 90") for part in DEEPER)))
        assert [version.age for version in UnscoredVersion.objects.all()] == [40]

    def test_200_000_junk_marks_hold_up_no_score(self):
        customers = [make_customer(age=20 + i) for i in range(5)]
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO customers_stalemark (kind, ids) "
                "SELECT n %% 7, ARRAY[n + 1000000] FROM generate_series(1, 200000) AS n WHERE n %% 7 <> %s",
                [marks.REQUEST],
            )
        while scorer.rescore_batch(limit=20_000).claimed or marks_of_edits():
            pass
        for customer in customers:
            customer.refresh_from_db()
            assert customer.is_current()


def marks_of_edits():
    with connection.cursor() as cursor:
        cursor.execute("SELECT ids[1] FROM customers_stalemark WHERE kind < %s LIMIT 10", [marks.SWEEP])
        return [customer_id for (customer_id,) in cursor.fetchall()]


class TestFunctionsWithTheOwnersRights:
    TRY = (
        "CREATE TEMP TABLE gone AS SELECT 1::bigint AS customer_id, 77::bigint AS version",
        "CREATE TRIGGER mine AFTER INSERT ON gone FOR EACH {} EXECUTE FUNCTION public.{}()",
        "INSERT INTO gone VALUES (1, 77)",
    )

    OURS = [trigger for trigger in TRIGGERS if trigger.with_rights_of_owner]

    def test_no_role_can_make_a_trigger_of_one(self):
        with role("vp_nothing") as name:
            for trigger in self.OURS:
                error = attack(name, *(part.format(trigger.level, trigger.name) for part in self.TRY))
                assert "permission denied for function" in str(error)

    def test_nor_does_one_do_anything_where_a_restore_has_given_it_to_all(self):
        names = ", ".join(f"{trigger.name}()" for trigger in self.OURS)
        with role("vp_nothing") as name, connection.cursor() as cursor:
            cursor.execute(f"GRANT EXECUTE ON FUNCTION {names} TO PUBLIC")
            try:
                for trigger in self.OURS:
                    error = attack(name, *(part.format(trigger.level, trigger.name) for part in self.TRY))
                    assert "this function belongs to" in str(error)
            finally:
                cursor.execute(f"REVOKE EXECUTE ON FUNCTION {names} FROM PUBLIC")
        assert not UnscoredVersion.objects.exists()

    def test_of_ours_there_are_no_others_than_those_triggers(self):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS "
                "(SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e') ORDER BY 1"
            )
            assert {name for (name,) in cursor.fetchall()} == {trigger.name for trigger in TRIGGERS}


def test_neither_a_role_without_rights_nor_the_application_can_lock_anything_of_ours(application):
    with role("vp_nothing") as name:
        for table in set(our_tables()) - {"customers_customer"}:
            for stranger in (name, application):
                for mode in ("ACCESS SHARE", "ROW SHARE", "SHARE", "ACCESS EXCLUSIVE"):
                    assert attack(stranger, "BEGIN", f"LOCK TABLE {table} IN {mode} MODE") is not None
                assert attack(stranger, f"SELECT FROM {table} FOR KEY SHARE") is not None


def test_a_role_that_may_edit_needs_no_right_on_the_schema_of_the_tables():
    """Through a view, as before: nothing is looked up by name unless a setting asks for it."""
    make_scored()
    with role("vp_app") as name, connection.cursor() as cursor:
        with transaction.atomic():
            cursor.execute(f'CREATE SCHEMA bank AUTHORIZATION "{name}"')
            cursor.execute("CREATE VIEW bank.customers AS SELECT * FROM customers_customer")
            cursor.execute(f'GRANT ALL ON bank.customers TO "{name}"; REVOKE USAGE ON SCHEMA public FROM PUBLIC')
        try:
            assert attack(name, "UPDATE bank.customers SET age = 90") is None
        finally:
            cursor.execute("DROP SCHEMA bank CASCADE; GRANT USAGE ON SCHEMA public TO PUBLIC")
    assert Customer.objects.get().edited_by == f"sql:{name}"
    assert Customer.objects.stale().exists()
