"""Who changes what PostgreSQL is asked to, the feed of changed scores tells of it: by any hand and in any way."""

import pytest
from django.db import ProgrammingError, connection, transaction

from customers.models import Customer, ScoreChange
from customers.scoring import scorer
from events.triggers.sql import REPLICA
from tests.factories import A_CUSTOMER, edit, make_customer, make_customers, make_scored

pytestmark = pytest.mark.django_db

STRANGER = "vigilpay_test_stranger"


def sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def told():
    """The ids of each change, oldest first."""
    return list(ScoreChange.objects.order_by("id").values_list("customer_ids", flat=True))


@pytest.fixture
def customers():
    """Three customers whose scores were told of already."""
    made = [make_scored(customer_id=number) for number in (5, 6, 7)]
    ScoreChange.objects.all().delete()
    return made


class TestScores:
    def test_a_batch_is_one_change(self):
        ids = sorted(it.pk for it in make_customers(3))
        scorer.rescore_batch()
        (found,) = told()
        assert sorted(found) == ids

    def test_a_large_batch_is_some_arrays(self):
        columns = ", ".join(A_CUSTOMER)
        places = ", ".join(["%s"] * len(A_CUSTOMER))
        sql(
            f"INSERT INTO customers_customer (customer_id, {columns})"
            f" SELECT i, {places} FROM generate_series(1, 450) AS i",
            *A_CUSTOMER.values(),
        )
        assert scorer.rescore_batch(450).stored == 450
        assert sorted(map(len, told())) == [50, 200, 200]
        assert sorted(it for ids in told() for it in ids) == list(range(1, 451))

    def test_an_edit_is_none(self, customers):
        edit(customers[0], age=71)
        assert told() == []

    def test_a_score_that_is_rolled_back_is_none(self, customers):
        with transaction.atomic():
            scorer.analyze(5)
            transaction.set_rollback(True)
        assert told() == []


class TestLeaving:
    def test_by_deletion(self, customers):
        sql("DELETE FROM customers_customer WHERE customer_id > 5")
        assert list(map(sorted, told())) == [[6, 7]]

    def test_by_django(self, customers):
        Customer.objects.get(pk=5).delete()
        assert told() == [[5]]

    @pytest.mark.parametrize("way", ["TRUNCATE customers_customer", "TRUNCATE customers_customer CASCADE"])
    def test_by_truncation(self, customers, way):
        sql(way)
        assert list(map(sorted, told())) == [[5, 6, 7]]

    def test_one_who_never_had_a_score_leaves_as_well(self, customers):
        make_customer(customer_id=8)
        sql("DELETE FROM customers_customer WHERE customer_id = 8")
        assert told() == [[8]]

    def test_a_deletion_of_no_one_is_none(self, customers):
        sql("DELETE FROM customers_customer WHERE customer_id = 99")
        assert told() == []


class TestRenaming:
    def test_one_has_left_under_the_former_id(self, customers):
        sql("UPDATE customers_customer SET customer_id = 50 WHERE customer_id = 5")
        assert told() == [[5]]

    def test_of_many_all_whose_id_no_one_has_taken(self, customers):
        sql("UPDATE customers_customer SET customer_id = customer_id + 100 WHERE customer_id < 7")
        assert list(map(sorted, told())) == [[5, 6]]

    def test_an_id_that_another_takes_afterwards_is_told_of_before_the_new_score(self, customers):
        sql("UPDATE customers_customer SET customer_id = 50 WHERE customer_id = 5")
        sql("UPDATE customers_customer SET customer_id = 5 WHERE customer_id = 6")
        assert told() == [[5], [6]]
        scorer.analyze(5)
        assert told() == [[5], [6], [5]]

    def test_by_a_trigger_of_the_banks_behind_ours(self, customers):
        sql("""CREATE FUNCTION pg_temp.rename() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN NEW.customer_id := 500; RETURN NEW; END';
            CREATE TRIGGER zzzz_rename BEFORE UPDATE ON customers_customer FOR EACH ROW
            WHEN (OLD.customer_id = 5) EXECUTE FUNCTION pg_temp.rename()""")
        sql("UPDATE customers_customer SET surname = 'Moved' WHERE customer_id = 5")
        assert told() == [[5]]

    def test_in_one_statement_with_an_insert(self, customers):
        """A customer who has come in the same statement may be renamed: the time alone does not tell."""
        columns = ", ".join(A_CUSTOMER)
        sql(f"""DO $$ BEGIN
            INSERT INTO customers_customer (customer_id, {columns})
                SELECT 8, {columns} FROM customers_customer WHERE customer_id = 5;
            UPDATE customers_customer SET age = 50 WHERE customer_id IN (5, 8);
            UPDATE customers_customer SET customer_id = customer_id + 100 WHERE customer_id IN (5, 8);
        END $$""")
        assert told() == [[5]]  # of 8 nothing was ever told


class TestReplication:
    """As the apply worker of logical replication writes."""

    @pytest.fixture(autouse=True)
    def replicated(self, customers):
        sql("SET LOCAL session_replication_role TO replica")

    @pytest.mark.parametrize(
        ("statement", "expected"),
        [
            ("DELETE FROM customers_customer WHERE customer_id = 5", [[5]]),
            ("UPDATE customers_customer SET customer_id = 50 WHERE customer_id = 5", [[5]]),
            ("UPDATE customers_customer SET age = 50 WHERE customer_id = 5", []),
        ],
    )
    def test_who_has_left_is_told_of(self, statement, expected):
        assert REPLICA == "R"
        sql(statement)
        assert told() == expected

    def test_so_are_all_who_were_truncated(self):
        sql("TRUNCATE customers_customer")
        assert list(map(sorted, told())) == [[5, 6, 7]]


class TestStrangers:
    @pytest.fixture(autouse=True)
    def stranger(self, customers):
        sql(f"CREATE ROLE {STRANGER}")

    def test_a_role_that_may_delete_customers_need_not_write_the_feed(self):
        sql(f"GRANT SELECT, UPDATE, DELETE ON customers_customer TO {STRANGER}")
        sql(f"SET LOCAL ROLE {STRANGER}")
        sql("DELETE FROM customers_customer WHERE customer_id = 5")
        sql("UPDATE customers_customer SET customer_id = 60 WHERE customer_id = 6")
        sql("RESET ROLE")
        assert told() == [[5], [6]]

    def test_nothing_is_told_by_way_of_another_table(self):
        sql(f"GRANT SELECT ON customers_scorerecord TO {STRANGER}")
        sql(f"SET LOCAL ROLE {STRANGER}")
        sql("CREATE TEMPORARY TABLE forged ON COMMIT DROP AS SELECT * FROM customers_scorerecord")
        with pytest.raises(ProgrammingError, match="denied"), transaction.atomic():
            sql("""CREATE TRIGGER forge AFTER INSERT ON forged REFERENCING NEW TABLE AS stored FOR EACH STATEMENT
                EXECUTE FUNCTION vigilpay_6_announced(); INSERT INTO forged SELECT * FROM forged""")
        sql("RESET ROLE")
        assert told() == []

    def test_nor_where_a_restore_has_let_every_role_execute_the_function(self):
        sql("GRANT EXECUTE ON FUNCTION vigilpay_6_announced() TO PUBLIC")
        self.test_nothing_is_told_by_way_of_another_table()
