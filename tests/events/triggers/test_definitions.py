"""What PostgreSQL itself does at every edit, by any editor."""

import random
from contextlib import contextmanager

import pytest
from django.db import ProgrammingError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from psycopg import IsolationLevel

from customers.import_export.staging import STORED, staged
from customers.ml_service.schema import FEATURES
from customers.models import (
    LARGEST_CUSTOMER_ID,
    Customer,
    ModelRelease,
    ScoreRecord,
    ScoringFailure,
    StaleMark,
    UnscoredVersion,
)
from customers.releases.active import active_model
from customers.scoring import failures, marks, scorer
from customers.scoring.claims import Claim, claim_one
from customers.scoring.marks import ARRAY_IDS, LARGE, LATER, LIVE, RESTING, SWEEP
from events.queue import lease
from events.triggers.channels import STALE_CHANNEL
from events.triggers.definitions import TRIGGERS
from events.triggers.sql import LIVE_ROWS, LIVE_STATEMENTS
from tests.factories import (
    A_CUSTOMER,
    forget_marks,
    make_customer,
    make_customers,
    make_scored,
    marked,
    no_lease_is_held,
)
from tests.others import outsider

pytestmark = pytest.mark.django_db

OTHER_VALUES = {
    "credit_score": 601,
    "geography": "Spain",
    "gender": "Female",
    "age": 41,
    "tenure": 4,
    "balance": "50000.01",
    "num_of_products": 2,
    "has_cr_card": False,
    "is_active_member": True,
}
ENGINE = (
    *("version", "stale_since", "churn_risk_score", "scored_version", "scored_by_id", "scored_at"),
    *("contributions", "reason_codes", "value_at_risk"),
    *("edited_at", "edited_by"),
)


def sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def engine_columns(customer):
    return Customer.objects.values_list(*ENGINE).get(pk=customer.pk)


def version_of(customer):
    return Customer.objects.values_list("version", flat=True).get(pk=customer.pk)


def stale_since(customer):
    return Customer.objects.values_list("stale_since", flat=True).get(pk=customer.pk)


def scored_as(customer):
    return Customer.objects.values_list("churn_risk_score", flat=True).get(pk=customer.pk)


class TestArrival:
    def test_a_new_row_is_stale_and_unscored_whatever_the_insert_says_of_the_engines_columns(self):
        columns = ", ".join(["customer_id", "surname", *A_CUSTOMER, *ENGINE])
        engine = [99, None, 0.5, 99, 7, "2020-01-01", [0.1] * len(FEATURES), [1], 5, "2020-01-01", "me"]
        values = [1, "From a backup", *A_CUSTOMER.values(), *engine]
        places = ", ".join(["%s"] * len(values))
        sql(f"INSERT INTO customers_customer ({columns}) VALUES ({places})", *values)
        customer = Customer.objects.get(pk=1)
        assert (customer.version, customer.churn_risk_score, customer.scored_version) == (1, None, None)
        assert (customer.scored_by_id, customer.scored_at) == (None, None)
        assert (customer.contributions, customer.reason_codes) == (None, None)
        assert (customer.edited_at, customer.edited_by) == (None, "django")
        assert customer.stale_since.year > 2020

    def test_a_bulk_create_is_stale_row_by_row(self):
        Customer.objects.bulk_create(
            Customer(customer_id=i, **A_CUSTOMER, version=50, stale_since=None, churn_risk_score=0.9) for i in (1, 2, 3)
        )
        assert set(Customer.objects.values_list("version", "churn_risk_score")) == {(1, None)}
        assert Customer.objects.stale().count() == 3

    def test_a_copy_is_stale_row_by_row(self):
        columns = ", ".join(["customer_id", *A_CUSTOMER])
        with connection.cursor() as cursor, cursor.copy(f"COPY customers_customer ({columns}) FROM STDIN") as copy:
            for customer_id in (1, 2, 3):
                copy.write_row([customer_id, *A_CUSTOMER.values()])
        assert Customer.objects.stale().count() == 3


class TestVersion:
    @pytest.mark.parametrize(("field", "value"), OTHER_VALUES.items())
    def test_a_change_of_any_behavioural_field_in_plain_sql_makes_the_row_stale(self, field, value):
        customer = make_scored()
        sql(f"UPDATE customers_customer SET {field} = %s WHERE customer_id = %s", value, customer.pk)
        assert version_of(customer) == 2
        assert stale_since(customer) is not None

    def test_every_behavioural_field_is_among_those_tried_here(self):
        assert tuple(OTHER_VALUES) == FEATURES

    def test_the_oldest_change_that_is_not_yet_scored_stays_the_stale_since(self):
        customer = make_scored()
        Customer.objects.filter(pk=customer.pk).update(age=41)
        first = stale_since(customer)
        Customer.objects.filter(pk=customer.pk).update(age=42)
        assert stale_since(customer) == first
        assert version_of(customer) == 3

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE customers_customer SET surname = 'Married'",
            "UPDATE customers_customer SET age = age, balance = balance, geography = geography",
            "UPDATE customers_customer SET balance = 50000.0, is_active_member = NOT NOT is_active_member",
        ],
    )
    def test_an_edit_that_changes_nothing_the_model_reads_moves_nothing(self, statement):
        customer = make_scored()
        before = engine_columns(customer)
        sql(statement)
        assert engine_columns(customer) == before

    def test_a_value_that_goes_and_comes_back_is_scored_again(self):
        customer = make_scored()
        for age in (41, 40):
            Customer.objects.filter(pk=customer.pk).update(age=age)
        assert version_of(customer) == 3
        assert Customer.objects.stale().exists()

    def test_an_update_by_expression_counts(self):
        customer = make_scored()
        Customer.objects.filter(pk=customer.pk).update(balance=F("balance") + 1)
        assert version_of(customer) == 2

    def test_a_bulk_update_counts_for_the_rows_that_it_changes_only(self):
        changed, same = make_scored(), make_scored()
        changed.age = 50
        Customer.objects.bulk_update([changed, same], ["age"])
        assert (version_of(changed), version_of(same)) == (2, 1)
        assert list(Customer.objects.stale()) == [changed]

    @pytest.mark.parametrize(("age", "version"), [(40, 1), (41, 2)])
    def test_an_upsert_counts_only_if_it_changes_the_row(self, age, version):
        customer = make_scored()
        score = scored_as(customer)
        Customer.objects.bulk_create(
            [Customer(customer_id=customer.pk, **{**A_CUSTOMER, "age": age})],
            update_conflicts=True,
            unique_fields=["customer_id"],
            update_fields=[*A_CUSTOMER, "version", "churn_risk_score", "stale_since"],
        )
        assert version_of(customer) == version
        assert scored_as(customer) == score

    def test_a_merge_counts(self):
        customer = make_scored()
        sql(
            "MERGE INTO customers_customer USING (VALUES (%s::bigint, 41)) AS source (id, age) ON customer_id = id "
            "WHEN MATCHED THEN UPDATE SET age = source.age",
            customer.pk,
        )
        assert version_of(customer) == 2

    def test_a_rolled_back_edit_never_was(self):
        customer = make_scored()
        before = engine_columns(customer)
        with transaction.atomic():
            Customer.objects.filter(pk=customer.pk).update(age=41)
            transaction.set_rollback(True)
        assert engine_columns(customer) == before


class TestGuard:
    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("churn_risk_score", 0.0),
            ("churn_risk_score", None),
            ("value_at_risk", 0),
            ("value_at_risk", None),
            ("version", 1000),
            ("version", 0),
            ("stale_since", "2000-01-01"),
            ("scored_version", 1000),
            ("scored_by_id", 1000),
            ("scored_at", "2000-01-01"),
            ("contributions", [0.5] * len(FEATURES)),
            ("reason_codes", [1, 2, 3]),
            ("edited_at", "2000-01-01"),
            ("edited_by", "another user"),
        ],
    )
    def test_what_anybody_else_writes_into_the_engines_columns_is_kept_out(self, column, value):
        customer = make_scored()
        before = engine_columns(customer)
        sql(f"UPDATE customers_customer SET {column} = %s", value)
        assert engine_columns(customer) == before

    def test_no_editor_can_call_a_stale_row_current(self):
        customer = make_customer()
        sql("UPDATE customers_customer SET stale_since = NULL, churn_risk_score = 0.1, scored_version = version")
        assert stale_since(customer) is not None
        assert scored_as(customer) is None

    def test_an_edit_that_also_writes_engine_columns_still_counts_as_one_change(self):
        customer = make_scored()
        sql("UPDATE customers_customer SET age = 41, version = 1, stale_since = NULL, churn_risk_score = 0.01")
        assert version_of(customer) == 2
        assert stale_since(customer) is not None
        assert scored_as(customer) == customer.churn_risk_score

    def test_a_stale_instance_saved_in_full_can_not_turn_the_version_back_for_a_late_job(self):
        """DESIGN §4, first reproduced failure."""
        customer = make_customer()
        old_instance = Customer.objects.get(pk=customer.pk)
        with connection.cursor() as cursor:
            late_claim = claim_one(cursor, customer.pk)
        Customer.objects.filter(pk=customer.pk).update(age=77)
        old_instance.balance = 0
        old_instance.save()
        forest, release = active_model()
        with connection.cursor() as cursor, scorer.scorer_rights(cursor):
            stored = scorer.store(cursor, late_claim, failures.explain_all(forest, late_claim), release)
        assert stored.rows == 0
        assert version_of(customer) == 3
        assert not ScoreRecord.objects.exists()
        assert list(Customer.objects.stale()) == [customer]

    def test_a_stale_instance_saved_in_full_can_not_put_an_old_score_back(self):
        """DESIGN §4, second reproduced failure."""
        old_instance = make_scored(age=30)
        old_score = old_instance.churn_risk_score
        Customer.objects.filter(pk=old_instance.pk).update(age=77)
        scorer.rescore_batch()
        new_score = scored_as(old_instance)
        old_instance.surname = "Nothing else"
        old_instance.save()
        assert scored_as(old_instance) == new_score != old_score
        assert stale_since(old_instance) is not None  # the old age came back with the save, unscored so far
        scorer.rescore_batch()
        assert scored_as(old_instance) == old_score

    def test_a_score_saved_by_name_is_kept_out_like_any_other(self):
        customer = make_scored()
        score, customer.churn_risk_score = customer.churn_risk_score, 0.001
        customer.save(update_fields=["churn_risk_score"])
        assert scored_as(customer) == score


class TestScorersRight:
    def may_write_scores(self):
        customer = make_customer()
        sql("UPDATE customers_customer SET churn_risk_score = 0.25 WHERE customer_id = %s", customer.pk)
        return scored_as(customer) == 0.25

    def test_it_ends_with_analyze_though_the_callers_transaction_goes_on(self):
        make_scored()
        assert connection.in_atomic_block
        assert not self.may_write_scores()

    def test_it_ends_with_a_batch_inside_a_surrounding_transaction(self):
        make_customers(3)
        with transaction.atomic():
            assert scorer.rescore_batch().stored == 3
            assert not self.may_write_scores()

    def test_it_ends_with_a_batch_that_found_nothing(self):
        assert scorer.rescore_batch().claimed == 0
        assert not self.may_write_scores()

    def test_it_ends_when_scoring_fails_and_the_savepoint_is_rolled_back(self):
        def fail_while_writing():
            with transaction.atomic(), connection.cursor() as cursor, scorer.scorer_rights(cursor):
                assert self.may_write_scores()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail_while_writing()
        assert not self.may_write_scores()

    def test_it_does_not_come_back_when_a_savepoint_around_a_finished_write_is_rolled_back(self):
        make_customer()
        with transaction.atomic():
            scorer.rescore_batch()
            transaction.set_rollback(True)
        assert not self.may_write_scores()

    @pytest.mark.django_db(transaction=True)
    def test_it_ends_with_the_transaction_where_none_surrounds_it(self):
        make_customers(2)
        scorer.rescore_batch()
        assert not self.may_write_scores()

    def test_it_does_not_keep_the_stamp_from_noticing_a_change(self):
        customer = make_scored()
        with connection.cursor() as cursor, scorer.scorer_rights(cursor):
            Customer.objects.filter(pk=customer.pk).update(age=41)
        assert version_of(customer) == 2
        assert stale_since(customer) is not None


@pytest.mark.parametrize("trigger", [it for it in TRIGGERS if it.with_rights_of_owner], ids=lambda it: it.name)
def test_a_function_with_the_owners_rights_does_nothing_for_another_table(trigger):
    sql("CREATE TEMP TABLE own (customer_id bigint)")
    sql(f"CREATE TRIGGER t AFTER INSERT ON own FOR EACH {trigger.level} EXECUTE FUNCTION {trigger.name}()")
    with pytest.raises(ProgrammingError, match=f"permission denied: this function belongs to {trigger.table}"):
        sql("INSERT INTO own VALUES (1)")


def test_each_edit_names_its_editor_anew():
    customer = make_customer()
    sql("""DO $$BEGIN PERFORM set_config('vigilpay.editor', 'night load', true);
        UPDATE customers_customer SET age = age + 1; END$$""")
    customer.refresh_from_db()
    assert customer.edited_by == "night load"


@contextmanager
def role_that_may_only_write_customers():
    """As a bank gives one to its nightly load."""
    sql("CREATE ROLE vigilpay_test_loader")
    sql("GRANT SELECT, INSERT, UPDATE ON customers_customer TO vigilpay_test_loader")
    sql("SET LOCAL ROLE vigilpay_test_loader")
    yield
    sql("RESET ROLE")


@pytest.mark.parametrize(
    "forbidden",
    [
        "SELECT * FROM customers_unscoredversion",
        "INSERT INTO customers_unscoredversion SELECT * FROM customers_unscoredversion",
        "SELECT * FROM customers_stalemark",
        "DELETE FROM customers_stalemark",
        "INSERT INTO customers_stalemark (kind, ids) VALUES (0, '{1}')",
        "SELECT vigilpay_4_edited()",
        "CREATE TEMP TABLE own (id int); CREATE TRIGGER t AFTER INSERT ON own EXECUTE FUNCTION vigilpay_3_arrived()",
        "SELECT setval('events_awake', 9223372036854775807)",
        "UPDATE events_watch SET awake_until = 'infinity'",
    ],
)
def test_that_role_gets_no_further_right(forbidden):
    with role_that_may_only_write_customers(), pytest.raises(ProgrammingError, match="denied"), transaction.atomic():
        sql(forbidden)


@pytest.mark.parametrize("search_path", ["''", "pg_catalog", "pg_temp, pg_catalog", "somewhere_else"])
def test_that_role_leaves_mark_and_history_under_any_search_path(search_path):
    make_customer(customer_id=1)
    forget_marks()
    with role_that_may_only_write_customers():
        sql(f"SET LOCAL search_path TO {search_path}")
        sql("UPDATE public.customers_customer SET age = 77")
        sql("SET LOCAL search_path TO public")
    assert marked() == [(LIVE, [1])]
    assert UnscoredVersion.objects.get().age == 40


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE customers_customer SET age = 41",
        "UPDATE customers_customer SET age = 41, churn_risk_score = 0",
        "INSERT INTO customers_customer SELECT 2, surname, credit_score, geography, gender, age, tenure, balance, "
        "num_of_products, has_cr_card, is_active_member FROM customers_customer",
    ],
)
def test_a_role_that_may_write_customers_needs_no_right_on_the_engines_tables(statement):
    make_scored(customer_id=1)
    with role_that_may_only_write_customers():
        sql(statement)
    assert Customer.objects.stale().count() == 1


# --- marks ------------------------------------------------------------------------------------------------------------


def forget_marks_and_transaction():
    """As if a new transaction began, and drains had looked at what was marked before."""
    forget_marks()
    sql("SELECT set_config('vigilpay.small_edits', '', true)")


def insert_customers(ids):
    """In this order."""
    values = ", ".join(["%s"] * len(A_CUSTOMER))
    sql(
        f"INSERT INTO customers_customer (customer_id, {', '.join(A_CUSTOMER)}) "
        f"SELECT id, {values} FROM unnest(%s::bigint[]) AS these (id)",
        *A_CUSTOMER.values(),
        list(ids),
    )


def stale_without_a_mark():
    """No row, ever."""
    return sql(
        "SELECT customer_id FROM customers_customer WHERE stale_since IS NOT NULL AND customer_id NOT IN "
        "(SELECT unnest(ids) FROM customers_stalemark WHERE kind < %s)",
        SWEEP,
    )


class TestMarks:
    @pytest.mark.parametrize(
        "edit",
        [
            lambda: insert_customers([7]),
            lambda: Customer.objects.bulk_create([Customer(customer_id=7, **A_CUSTOMER)]),
            lambda: Customer.objects.create(customer_id=7, **A_CUSTOMER),
            lambda: copy_in([7]),
            lambda: load([7]),
        ],
        ids=["sql", "bulk_create", "create", "copy", "bulk load"],
    )
    def test_a_new_customer_is_marked_however_it_comes(self, edit):
        edit()
        assert marked() == [(LIVE, [7])]

    def test_a_change_is_marked_and_one_that_changes_nothing_is_not(self):
        make_customer(customer_id=7)
        forget_marks_and_transaction()
        sql("UPDATE customers_customer SET surname = 'Married', age = age")
        assert marked() == []
        sql("UPDATE customers_customer SET age = 41")
        assert marked() == [(LIVE, [7])]

    def test_a_change_of_the_id_is_an_edit_of_the_new_one(self):
        customer = make_scored(customer_id=7)
        forget_marks_and_transaction()
        sql("UPDATE customers_customer SET customer_id = 8")
        assert marked() == [(LIVE, [8])]
        customer = Customer.objects.get()
        assert (customer.pk, customer.version) == (8, 2)
        assert customer.stale_since is not None

    def test_it_goes_with_a_savepoint_and_the_next_edit_marks_again(self):
        customer = make_scored(customer_id=7)
        forget_marks_and_transaction()
        for rolled_back in (True, False):
            with transaction.atomic():
                Customer.objects.filter(pk=customer.pk).update(age=41)
                transaction.set_rollback(rolled_back)
        assert marked() == [(LIVE, [7])]

    def test_a_statement_that_edits_few_is_live_and_a_large_one_is_not(self):
        insert_customers(range(1, LIVE_ROWS + 1))
        assert marked() == [(LIVE, [i]) for i in range(1, LIVE_ROWS + 1)]
        forget_marks()
        insert_customers(range(100, 101 + LIVE_ROWS))
        assert marked() == [(LARGE, list(range(100, 101 + LIVE_ROWS)))]

    def test_so_are_the_first_small_statements_of_a_transaction(self):
        """A loop over the portfolio is one large edit, however small its statements are."""
        sql("SELECT pg_sleep(0.006)")  # no longer young
        for i in range(1, LIVE_STATEMENTS + 3):
            insert_customers([i])
        assert marked()[-3:] == [(LIVE, [LIVE_STATEMENTS]), *((LATER, [LIVE_STATEMENTS + i]) for i in (1, 2))]

    @pytest.mark.parametrize("forged", ["", ".", "x" * 1000, "-1", "63 0 1"])
    def test_whatever_an_editor_sets_there_its_edits_are_marked(self, forged):
        sql("SELECT set_config('vigilpay.small_edits', %s, true)", forged)
        insert_customers([7])
        assert [ids for _kind, ids in marked()] == [[7]]

    @pytest.mark.parametrize("order", ["in order", "random"])
    def test_a_large_edit_leaves_few_marks_and_every_row_is_in_one(self, order):
        ids = list(range(1, 10_000_000, 1_000))
        if order == "random":
            random.Random(3).shuffle(ids)
        insert_customers(ids)
        assert stale_without_a_mark() == []
        assert [len(marked_ids) for _kind, marked_ids in marked()] == [ARRAY_IDS] * (len(ids) // ARRAY_IDS)

    def test_the_largest_ids_of_all_are_found_by_a_drain(self):
        insert_customers(range(LARGEST_CUSTOMER_ID - 20, LARGEST_CUSTOMER_ID + 1))
        while scorer.rescore_batch().stored:
            pass
        assert not Customer.objects.stale().exists()

    def test_a_mark_is_visible_when_its_edit_is_and_not_before(self, transactional_db):
        with outsider(autocommit=False) as editor:
            insert(editor, 7)
            assert marked() == []
            editor.commit()
        assert marked() == [(LIVE, [7])]
        with outsider(autocommit=False) as editor:
            editor.execute("UPDATE customers_customer SET age = 41")
            editor.rollback()
        assert marked() == [(LIVE, [7])]

    def test_a_connection_remembers_nothing_of_its_last_transaction(self, transactional_db):
        make_scored(customer_id=7)
        with outsider() as editor:
            for age in (50, 51):
                forget_marks()
                editor.execute("UPDATE customers_customer SET age = %s", [age])
                assert marked() == [(LIVE, [7])]


class TestRelease:
    ALL = (SWEEP, [0])

    def test_a_new_one_marks_all_customers_and_notifies(self, listener):
        listener.forget()
        ModelRelease.objects.create(sha256="0" * 64)
        assert marked() == [self.ALL]
        assert listener.received() == 1

    def test_so_does_one_in_plain_sql_and_one_that_is_taken_back(self):
        sql(
            "INSERT INTO customers_modelrelease (sha256, fingerprint, note, metadata) VALUES (%s, %s, '', '{}')",
            "0" * 64,
            "0" * 64,
        )
        sql("DELETE FROM customers_modelrelease")
        assert marked() == [self.ALL] * 2


def copy_in(ids):
    columns = ", ".join(["customer_id", *A_CUSTOMER])
    with connection.cursor() as cursor, cursor.copy(f"COPY customers_customer ({columns}) FROM STDIN") as copy:
        for customer_id in ids:
            copy.write_row([customer_id, *A_CUSTOMER.values()])


def load(ids):
    with staged([(i, "Loaded", *A_CUSTOMER.values()) for i in ids], STORED) as staging:
        staging.store()


# --- triggers of the bank's -------------------------------------------------------------------------------------------


def bank_trigger(name, does, event="BEFORE UPDATE"):
    """A trigger of the bank's own, which sorts before or behind ours."""
    sql(f'CREATE FUNCTION "{name}"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {does} RETURN NEW; END $$')
    sql(f'CREATE TRIGGER "{name}" {event} ON customers_customer FOR EACH ROW EXECUTE FUNCTION "{name}"()')


CLOSES = "IF NEW.surname = 'Closed' THEN NEW.balance := 0; NEW.num_of_products := 3; END IF;"
SCORES = "IF NEW.surname = 'Closed' THEN NEW.churn_risk_score := 0.999; END IF;"


@pytest.mark.parametrize("name", ["a_bank", "zz_bank", "~bank"])
class TestBeside:
    def test_what_a_trigger_changes_is_an_edit(self, name):
        customer = make_scored()
        forget_marks()
        bank_trigger(name, CLOSES)
        sql("UPDATE customers_customer SET surname = 'Closed'")
        assert version_of(customer) == 2
        assert stale_since(customer) is not None
        assert {customer.pk} == {i for _kind, ids in marked() for i in ids}
        assert scorer.rescore_batch().stored == 1
        assert_right(customer)
        assert ScoreRecord.objects.filter(customer_id=customer.pk).count() == 2

    def test_beside_an_edit_of_the_statements_own_too(self, name):
        customers = make_customers(20)
        while scorer.rescore_batch().stored:
            pass
        bank_trigger(name, CLOSES)
        sql("UPDATE customers_customer SET surname = 'Closed', age = age + 1 WHERE mod(customer_id, 2) = 0")
        sql("UPDATE customers_customer SET surname = 'Closed' WHERE mod(customer_id, 2) = 1")
        assert stale_without_a_mark() == []
        assert scorer.rescore_batch().stored == 20
        assert_right(*customers)

    def test_one_that_needs_the_search_path_of_the_banks_sessions_works_on(self, name):
        make_scored()
        sql("CREATE TABLE closed_ones (id bigint)")
        bank_trigger(name, CLOSES + "INSERT INTO closed_ones VALUES (NEW.customer_id);")
        sql("UPDATE customers_customer SET surname = 'Closed'")
        assert stale_since(Customer.objects.get()) is not None

    def test_of_a_row_that_is_stale_already_the_former_version_is_kept(self, name):
        customer = make_customer()
        bank_trigger(name, CLOSES)
        sql("UPDATE customers_customer SET surname = 'Closed'")
        kept = UnscoredVersion.objects.get()
        assert (kept.customer_id, kept.version, kept.num_of_products) == (customer.pk, 1, 1)
        assert scorer.rescore_batch().stored == 1
        assert_right(customer)

    def test_one_that_changes_a_field_at_every_update_ends(self, name):
        customer = make_customer()
        bank_trigger(name, "NEW.balance := NEW.balance + 1;")
        sql("UPDATE customers_customer SET surname = 'Closed'")
        assert stale_since(customer) is not None
        assert stale_without_a_mark() == []
        scorer.rescore_batch()  # whose own UPDATE is one more
        assert stale_since(customer) is not None

    def test_a_score_that_it_writes_is_never_current(self, name):
        """Set back where our trigger comes later; else the row is stale, and a dead letter while it can't be stored."""
        customer = make_scored()
        was = customer.churn_risk_score
        bank_trigger(name, SCORES)
        sql("UPDATE customers_customer SET surname = 'Closed'")
        assert (scored_as(customer) == was) == (stale_since(customer) is None) == (name != "~bank")
        if name == "~bank":
            assert scorer.rescore_batch() == scorer.Batch(claimed=1, refused=1)
            assert "gives customer" in ScoringFailure.objects.get().error
            assert stale_since(customer) is not None
            sql(f'DROP TRIGGER "{name}" ON customers_customer')
            failures.requeue()
            marks.restore_marks()  # as a drain does
            scorer.rescore_batch()
        assert_right(customer)

    def test_the_history_pairs_a_score_with_the_values_that_it_answers_not_with_those_it_moves(self, name):
        customer = make_customer(has_cr_card=False)
        bank_trigger(name, "IF NEW.churn_risk_score > 0 THEN NEW.has_cr_card := true; END IF;")
        while scorer.rescore_batch().claimed:
            pass
        assert_right(customer)
        first, second = ScoreRecord.objects.order_by("id")
        assert (first.has_cr_card, second.has_cr_card) == (False, True)
        assert (first.version, second.version) == (1, 2)
        assert second.previous_score == first.score
        forest, _release = active_model()
        values = {field: getattr(first, field) for field in FEATURES}
        assert first.score == pytest.approx(forest.predict_one(values), abs=1e-12)

    def test_a_score_that_it_writes_when_the_scorer_does_is_refused(self, name):
        customer = make_customer(surname="Closed")
        neighbour = make_customer()
        bank_trigger(name, SCORES)
        assert scorer.rescore_batch() == scorer.Batch(claimed=2, stored=1, refused=1)
        assert (stale_since(customer) is None, stale_since(neighbour) is None) == (False, True)

    def test_a_field_that_it_changes_when_the_scorer_writes_is_scored_anew(self, name):
        customer = make_customer()
        bank_trigger(name, "IF NEW.churn_risk_score IS NOT NULL THEN NEW.num_of_products := 4; END IF;")
        scorer.rescore_batch()
        assert stale_since(customer) is not None
        assert scorer.rescore_batch().stored == 1
        assert_right(customer)

    def test_an_id_that_it_gives_is_marked(self, name):
        bank_trigger(name, "NEW.customer_id := NEW.customer_id + 1000;", "BEFORE INSERT")
        insert_customers([7])
        assert marked() == [(LIVE, [1007])]

    def test_a_score_that_it_gives_a_new_row_is_not_current(self, name):
        _forest, release = active_model()
        forget_marks()
        bank_trigger(
            name,
            "NEW.churn_risk_score := 0.1; NEW.stale_since := NULL; NEW.scored_version := NEW.version;"
            " NEW.value_at_risk := 1;"
            f" NEW.scored_by_id := {release.pk};",
            "BEFORE INSERT",
        )
        insert_customers([7])
        customer = Customer.objects.get()
        assert customer.stale_since is not None
        sql(f'DROP TRIGGER "{name}" ON customers_customer')
        assert scorer.rescore_batch().stored == 1
        assert_right(customer)


def test_of_a_surname_and_of_the_scorers_own_writes_no_mark_is_left():
    customer = make_customer()
    scorer.rescore_batch()
    forget_marks()
    sql("UPDATE customers_customer SET surname = 'Married', age = age")
    assert (marked(), version_of(customer)) == ([], 1)


def assert_right(*customers):
    """Current, and what the model says of the row as it is stored."""
    forest, _release = active_model()
    for customer in customers:
        customer.refresh_from_db()
        assert customer.is_current()
        assert customer.churn_risk_score == pytest.approx(forest.predict_one(customer.features()), abs=1e-12)


class TestReplicated:
    """As the apply worker of logical replication writes: triggers that are not enabled for it do not fire."""

    @pytest.fixture(autouse=True)
    def as_the_apply_worker(self):
        sql("SET LOCAL session_replication_role TO replica")

    def test_a_row_that_comes_is_stale_and_marked(self):
        insert_customers([7])
        assert marked() == [(LIVE, [7])]
        assert Customer.objects.get().edited_by != ""

    def test_a_change_is_stamped_and_marked_and_engine_columns_are_guarded(self):
        customer = make_scored()
        forget_marks_and_transaction()
        sql("UPDATE customers_customer SET age = 77, version = 900, churn_risk_score = 0.9, stale_since = NULL")
        assert (version_of(customer), scored_as(customer)) == (2, customer.churn_risk_score)
        assert marked() == [(LIVE, [customer.pk])]
        sql("UPDATE customers_customer SET surname = 'Married'")
        assert len(marked()) == 1

    def test_of_a_row_that_was_stale_the_former_version_is_kept(self):
        customer = make_customer()
        sql("UPDATE customers_customer SET age = 77")
        kept = UnscoredVersion.objects.get()
        assert (kept.customer_id, kept.version, kept.age) == (customer.pk, 1, 40)


# --- notifications ----------------------------------------------------------------------------------------------------


class NotificationListener:
    """Listens for notifications. A notice of its own marks the end, so that silence needs no waiting."""

    def __init__(self, listener):
        self.listener = listener
        listener.execute(f"LISTEN {STALE_CHANNEL}")

    def forget(self):
        """What was received and leased so far is forgotten."""
        self.received()
        no_lease_is_held()

    def received(self):
        self.listener.execute(f"NOTIFY {STALE_CHANNEL}, 'end'")
        notices = []
        for notice in self.listener.notifies(timeout=30):
            if notice.payload == "end":
                return len(notices)
            notices.append(notice)
        pytest.fail("not even its own notice was received")


@pytest.fixture
def listener(transactional_db):
    with outsider() as listener:
        yield NotificationListener(listener)


class TestNotify:
    def test_an_insert_in_plain_sql_notifies(self, listener):
        with outsider() as editor:
            insert(editor, 1)
        assert listener.received() == 1

    def test_a_save_in_django_notifies_too_for_its_signal_might_get_lost(self, listener):
        make_customer()
        assert listener.received() == 1

    def test_an_edit_of_many_rows_notifies_once(self, listener):
        make_customers(5)
        listener.forget()
        with outsider() as editor:
            editor.execute("UPDATE customers_customer SET age = age + 1")
        assert listener.received() == 1

    def test_many_statements_of_one_transaction_notify_once(self, listener):
        with outsider(autocommit=False) as editor:
            for customer_id in (1, 2, 3):
                insert(editor, customer_id)
            editor.commit()
        assert listener.received() == 1

    def test_no_edit_notifies_while_the_lease_is_held(self, listener):
        lease.extend(60)
        with outsider() as editor:
            insert(editor, 1)
            editor.execute("UPDATE customers_customer SET age = 44")
        assert listener.received() == 0

    def test_notifications_begin_again_when_the_lease_has_run_out(self, listener):
        lease.extend(-1)
        with outsider() as editor:
            insert(editor, 1)
        assert listener.received() == 1

    def test_a_lease_that_reaches_too_far_keeps_no_edit_from_notifying(self, listener):
        lease.extend(3600)
        with outsider() as editor:
            insert(editor, 1)
        assert listener.received() == 1

    def test_they_begin_again_when_a_crash_has_taken_the_lease(self, listener):
        lease.extend(60)
        sql("ALTER SEQUENCE events_awake RESTART")
        with outsider() as editor:
            insert(editor, 1)
        assert listener.received() == 1

    def test_a_large_edit_notifies_once(self, listener):
        with outsider() as editor:
            for customer_id in range(1, 40):
                insert(editor, customer_id)
                lease.extend(60)
            listener.forget()
            editor.execute("UPDATE customers_customer SET age = 50")
        assert listener.received() == 1

    def test_a_transaction_that_is_to_be_prepared_need_not_notify(self, listener):
        """NOTIFY is refused there; a role's setting silences it, and the broker's own look finds the edit."""
        with outsider(options="-c vigilpay.notify=off") as editor:
            insert(editor, 1)
            editor.execute(
                "INSERT INTO customers_modelrelease (sha256, fingerprint, note, metadata) VALUES (1, 1, '', '{}')"
            )
        assert listener.received() == 0
        assert (LIVE, [1]) in marked()

    def test_a_rolled_back_edit_does_not_notify(self, listener):
        with outsider(autocommit=False) as editor:
            insert(editor, 1)
            editor.rollback()
        assert listener.received() == 0

    def test_an_edit_of_surnames_alone_does_not_notify(self, listener):
        make_customer()
        listener.forget()
        with outsider() as editor:
            editor.execute("UPDATE customers_customer SET surname = 'Married'")
        assert listener.received() == 0

    @pytest.mark.parametrize("search_path", ["''", "pg_catalog", "somewhere_else"])
    def test_an_edit_with_a_strange_search_path_succeeds_stamps_and_notifies(self, listener, search_path):
        customer = make_customer()
        listener.forget()
        with outsider() as editor:
            editor.execute(f"SET search_path TO {search_path}")
            editor.execute("UPDATE public.customers_customer SET age = 44")
        assert listener.received() == 1
        assert version_of(customer) == 2

    @pytest.mark.parametrize("level", [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE])
    def test_an_edit_under_a_stricter_isolation_succeeds_stamps_and_notifies(self, listener, level):
        customer = make_customer()
        listener.forget()
        with outsider(autocommit=False) as editor:
            editor.isolation_level = level
            editor.execute("SELECT count(*) FROM customers_customer")
            lease.extend(-1)  # another worker moves the lease meanwhile
            editor.execute("UPDATE customers_customer SET age = 44")
            editor.commit()
        assert listener.received() == 1
        assert version_of(customer) == 2

    @pytest.mark.parametrize(("level", "rows"), [(it, rows) for it in IsolationLevel for rows in (1, LIVE_ROWS + 1)])
    def test_a_customer_edited_by_one_snapshot_is_left_alone_until_the_next_edit_may_have_come(
        self, listener, level, rows
    ):
        make_customers(rows)
        forget_marks()
        with outsider(autocommit=False) as editor:
            editor.isolation_level = level
            editor.execute("UPDATE customers_customer SET age = 44")
            editor.commit()
        one_snapshot = level >= IsolationLevel.REPEATABLE_READ
        marks = StaleMark.objects.filter(kind__in=[RESTING] if one_snapshot else [LIVE, LARGE])
        assert marks.filter(due_at__gt=Now()).exists() == one_snapshot
        assert sum(len(mark.ids) for mark in marks) == rows


def insert(editor, customer_id):
    columns = ", ".join(["customer_id", *A_CUSTOMER])
    places = ", ".join(["%s"] * (1 + len(A_CUSTOMER)))
    editor.execute(f"INSERT INTO customers_customer ({columns}) VALUES ({places})", [customer_id, *A_CUSTOMER.values()])


def test_a_claim_is_what_the_row_says_column_by_column():
    customer = make_scored(age=33)
    with connection.cursor() as cursor:
        claim = claim_one(cursor, customer.pk)
    assert claim == Claim(
        ids=[customer.pk],
        versions=[1],
        features=[tuple(getattr(customer, field) for field in FEATURES)],
    )
