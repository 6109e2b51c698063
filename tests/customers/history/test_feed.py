"""The feed of changed scores: what a reader is given, in which order, and when a position holds no longer."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from customers.history import feed
from customers.history.feed import Position, PositionGoneError
from customers.history.retention import prune_changes
from customers.models import FeedEpoch, ScoreChange
from customers.scoring import scorer
from tests.factories import make_customer, make_customers, make_scored
from tests.others import await_other_databases, await_that, outsider

# Within one open transaction nothing could be told: it is itself the oldest.
pytestmark = pytest.mark.django_db(transaction=True)


def read_changes(*asked):
    await_other_databases()
    return feed.read_changes(*asked)


def now():
    """A reader's first position."""
    return read_changes(None, 1).next


def told(after, limit=500):
    """All that a reader is given, page by page, and where it has come to."""
    found = []
    while True:
        page = read_changes(after, limit)
        assert len(page.customer_ids) <= limit
        found += page.customer_ids
        after = page.next
        if not page.more:
            return found, after


def announce(editor, *customer_ids):
    editor.execute("INSERT INTO customers_scorechange (customer_ids) VALUES (%s)", [list(customer_ids)])


class TestPositions:
    def test_the_first_tells_nothing_of_before(self):
        make_scored()
        page = read_changes(None, 10)
        assert (page.customer_ids, page.more, page.waiting_since) == ([], False, None)

    def test_what_is_stored_from_then_on_is_told_once(self):
        customer = make_scored()
        after = now()
        scorer.analyze(customer.pk)
        found, after = told(after)
        assert found == [customer.pk]
        assert told(after)[0] == []

    def test_a_score_that_has_stayed_the_same_is_told_of_as_well(self):
        customer = make_scored()
        after = now()
        for _ in range(3):
            scorer.analyze(customer.pk)
        assert told(after)[0] == [customer.pk] * 3

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 500])
    def test_pages_end_anywhere_also_within_one_transaction(self, limit):
        after = now()
        with outsider() as editor:
            for first in range(0, 30, 3):
                announce(editor, first, first + 1, first + 2)
        with outsider(autocommit=False) as editor:
            for customer_id in range(30, 40):
                announce(editor, customer_id)
            editor.commit()
        assert told(after, limit)[0] == list(range(40))

    def test_as_text_it_is_itself(self):
        position = now()
        assert Position.from_text(str(position)) == position

    def test_a_reader_who_hears_of_nothing_moves_on_all_the_same(self):
        after = now()
        with outsider() as editor:
            editor.execute("SELECT pg_current_xact_id()")
        await_that(lambda: read_changes(after, 1).next.transaction > after.transaction, "the reader moves on", 120)


class TestOpenTransactions:
    def test_what_commits_late_is_told_though_others_have_come_first(self):
        after = now()
        with outsider(autocommit=False) as slow, outsider() as fast:
            announce(slow, 1)
            announce(fast, 2)
            page = read_changes(after, 10)
            assert (page.customer_ids, page.more) == ([], False)
            assert timezone.now() - page.waiting_since < timedelta(minutes=1)
            slow.commit()
        assert told(page.next)[0] == [1, 2]

    def test_one_that_has_begun_and_not_yet_written_anything_counts_too(self):
        with outsider(autocommit=False) as slow:
            slow.execute("SELECT pg_current_xact_id()")
            after = now()
            with outsider() as fast:
                announce(fast, 2)
            assert told(after)[0] == []
            announce(slow, 1)
            slow.commit()
        assert told(after)[0] == [1, 2]

    def test_what_is_rolled_back_is_never_told(self):
        after = now()
        with outsider(autocommit=False) as editor:
            announce(editor, 1)
            editor.rollback()
        assert told(after)[0] == []

    def test_one_that_only_reads_holds_nothing_back(self):
        after = now()
        with outsider(autocommit=False) as reader, outsider() as editor:
            reader.execute("SELECT count(*) FROM customers_customer")
            announce(editor, 1)
            assert told(after)[0] == [1]
            reader.rollback()


def is_gone(after):
    with pytest.raises(PositionGoneError, match="Begin again"):
        read_changes(after, 10)
    return True


class TestEpochs:
    def test_they_go_on_while_nothing_happens_to_the_database(self):
        assert now().token == now().token

    def test_after_a_crash_another_begins(self):
        """PostgreSQL empties the table, for it is not logged."""
        make_scored()
        after = now()
        FeedEpoch.objects.all().delete()
        assert is_gone(after)
        assert read_changes(now(), 10).customer_ids == []

    def test_the_table_is_one_that_a_crash_empties(self):
        with connection.cursor() as cursor:
            cursor.execute("SELECT relpersistence FROM pg_class WHERE oid = 'customers_feedepoch'::regclass")
            assert cursor.fetchone() == ("u",)

    def test_in_a_restored_dump_another_begins(self):
        after = now()
        FeedEpoch.objects.update(identity="another cluster, or another table")
        assert is_gone(after)

    def test_what_a_dump_has_brought_is_never_told_though_its_transactions_are_still_to_come(self):
        with outsider() as loader:
            (present,) = loader.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
            for transaction in (present + 12, present + 15, present + 10**9):
                loader.execute(
                    "INSERT INTO customers_scorechange (transaction_id, customer_ids) VALUES (%s, '{1}')", [transaction]
                )
            FeedEpoch.objects.update_or_create(
                defaults={"identity": "of the dump", "last_foreign_change": 0, "first_transaction": 0}
            )
            after = now()
            for customer_id in range(10, 25):
                announce(loader, customer_id)
        assert told(after, 4)[0] == list(range(10, 25))
        assert read_changes(after, 10).waiting_since is None

    def test_a_position_of_another_database_is_refused(self):
        assert is_gone(Position(UUID(int=7).hex, 1))

    def test_so_is_one_that_is_still_to_come(self):
        after = now()
        assert is_gone(Position(after.token, after.transaction + 1000))

    def test_the_identity_can_be_read_by_a_role_without_rights(self):
        with connection.cursor() as cursor:
            cursor.execute("SELECT proacl FROM pg_proc WHERE proname = 'pg_control_system'")
            assert cursor.fetchone() == (None,)
            cursor.execute(f"SELECT {feed.IDENTITY}")
            system, database, table = cursor.fetchone()[0].split(".")
        assert min(int(system), int(database), int(table)) > 0


class TestPruning:
    def let_it_be_long_ago(self):
        ScoreChange.objects.update(changed_at=timezone.now() - timedelta(days=15))

    def prune(self):
        return prune_changes(timezone.now() - timedelta(days=14))

    def test_the_old_goes_and_the_new_stays(self):
        make_customers(2)
        scorer.rescore_batch()
        self.let_it_be_long_ago()
        customer = make_scored()
        assert self.prune() == 1
        assert ScoreChange.objects.get().customer_ids == [customer.pk]

    def test_a_reader_who_has_missed_something_is_told_so(self):
        after = now()
        make_scored()
        self.let_it_be_long_ago()
        assert self.prune() == 1
        assert is_gone(after)

    def test_one_who_has_read_all_goes_on(self):
        after = now()
        customer = make_scored()
        found, after = told(after)
        self.let_it_be_long_ago()
        self.prune()
        assert found == [customer.pk]
        assert told(after)[0] == []

    def test_so_does_one_who_stopped_between_two_pages_at_the_last_that_is_gone(self):
        after = now()
        with outsider() as editor:
            announce(editor, 1)
            announce(editor, 2)
        first = read_changes(after, 1)
        ScoreChange.objects.filter(customer_ids=[1]).update(changed_at=timezone.now() - timedelta(days=15))
        self.prune()
        assert told(first.next)[0] == [2]
        assert is_gone(after)

    def test_one_who_begins_afterwards_is_told_of_what_follows(self):
        make_scored()
        self.let_it_be_long_ago()
        now()
        self.prune()
        after = now()
        customer = make_scored()
        assert told(after)[0] == [customer.pk]

    def test_without_an_epoch_it_deletes_as_well(self):
        make_scored()
        FeedEpoch.objects.all().delete()
        self.let_it_be_long_ago()
        assert self.prune() == 1


def test_a_page_is_found_by_the_index():
    now()
    with outsider() as editor:
        editor.execute(
            "INSERT INTO customers_scorechange (customer_ids) SELECT ARRAY[i, i + 1] FROM generate_series(1, 5000) AS i"
        )
        editor.execute(
            "INSERT INTO customers_scorechange (customer_ids) SELECT ARRAY[i] FROM generate_series(1, 5000) AS i"
        )
        editor.execute("VACUUM ANALYZE customers_scorechange")
    with connection.cursor() as cursor:
        values = {"transaction": 0, "change": 0, "place": 0, "limit": 101, "is_asked": True}
        cursor.execute("EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF, SUMMARY OFF)" + feed.READ, values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Seq Scan on customers_scorechange" not in plan
    assert "rows=10000" not in plan


def test_a_customer_who_was_never_scored_is_not_told_of():
    after = now()
    make_customer()
    assert told(after)[0] == []
