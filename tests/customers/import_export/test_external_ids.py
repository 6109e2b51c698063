"""Customers whom the bank knows by another identifier than a whole number."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from customers.import_export import external_ids
from customers.import_export.csv_files.refused import RefusedError
from customers.import_export.customers import import_file
from customers.import_export.load_errors import LoadError
from customers.import_export.outcomes import complete_until, import_outcomes
from customers.import_export.staging import RowCounts
from customers.import_export.training_file import read_labelled
from customers.management.commands import train_model
from customers.models import Contact, Customer, Departure, LastGivenId, Outcome, UnscoredVersion, WorklistItem
from events.models import Alert
from tests.customers.import_export.csv_files.texts import HEADER, row, text_of, without, write, write_text
from tests.factories import make_customer, make_scored
from vigilpay.personal_data.erasure import erase

pytestmark = pytest.mark.django_db


def by_external_id(folder, *pairs, **cells):
    """A file without customer IDs: each customer by external ID and age."""
    table = without("CustomerId", [HEADER, *(row(Age=str(age), **cells) for _, age in pairs)])
    names = ["ExternalId", *(external for external, _ in pairs)]
    return write_text(folder / "a.csv", text_of([[name, *line] for name, line in zip(names, table, strict=True)]))


def by_both(folder, *triples):
    """Each customer by customer ID, external ID and age."""
    body = [[*row(0, CustomerId=str(pk), Age=str(age)), external] for pk, external, age in triples]
    return write(folder / "a.csv", *body, header=[*HEADER, "external_id"])


def stored():
    return list(Customer.objects.order_by("pk").values_list("pk", "external_id", "age"))


class TestNewCustomers:
    def test_they_get_ids_beyond_the_largest(self, tmp_path):
        make_customer(customer_id=500)
        report = import_file(by_external_id(tmp_path, ("DE-007", 40), ("0042", 41)))
        assert report.counts == RowCounts(new=2)
        assert [it[:2] for it in stored()] == [(500, None), (501, "0042"), (502, "DE-007")]
        assert report.notes == ["The 2 new customers without a customer ID got 501 to 502"]

    def test_a_second_import_finds_them_again(self, tmp_path):
        import_file(by_external_id(tmp_path, ("A", 40), ("B", 41)))
        before = stored()
        report = import_file(by_external_id(tmp_path, ("C", 30), ("A", 40), ("B", 42)))
        assert report.counts == RowCounts(new=1, changed=1, unchanged=1)
        assert stored() == [before[0], (before[1][0], "B", 42), (before[1][0] + 1, "C", 30)]

    def test_an_id_is_not_given_again_after_its_customer_was_deleted(self, tmp_path):
        import_file(by_external_id(tmp_path, ("A", 40)))
        [(first, _, _)] = stored()
        Customer.objects.all().delete()
        import_file(by_external_id(tmp_path, ("B", 40)))
        assert stored() == [(first + 1, "B", 40)]

    def test_nor_is_one_that_the_history_still_knows(self, tmp_path):
        make_scored(customer_id=900)
        Customer.objects.all().delete()
        import_file(by_external_id(tmp_path, ("A", 40)))
        assert stored() == [(901, "A", 40)]

    @pytest.mark.parametrize("model", [Departure, UnscoredVersion])
    def test_nor_is_that_of_a_customer_who_left_before_the_first_score(self, model, tmp_path):
        make_customer(customer_id=900)
        Customer.objects.all().delete()
        for other in {Departure, UnscoredVersion} - {model}:
            other.objects.all().delete()
        assert model.objects.count() == 1
        import_file(by_external_id(tmp_path, ("A", 40)))
        assert stored() == [(901, "A", 40)]

    @pytest.mark.parametrize(
        "keep",
        [
            lambda pk: Contact.objects.create(customer_id=pk, by="ann", channel="phone", outcome="informed"),
            lambda pk: WorklistItem.objects.create(customer_id=pk, claimed_by="ann"),
            lambda pk: Alert.objects.create(
                customer_id=pk, rule_id=1, record_id=1, batch=1, score=0.5, raised_at=timezone.now()
            ),
        ],
        ids=["contact", "worklist", "alert"],
    )
    def test_nor_one_of_which_something_else_is_kept(self, keep, tmp_path):
        keep(900)
        import_file(by_external_id(tmp_path, ("A", 40)))
        assert stored() == [(901, "A", 40)]

    def test_nor_that_of_an_erased_customer(self, tmp_path):
        make_scored(customer_id=900)
        erase(900, "me")
        make_scored(customer_id=40)
        erase(40, "me")
        import_file(by_external_id(tmp_path, ("A", 40)))
        assert stored() == [(901, "A", 40)]

    def test_a_dry_run_counts_and_gives_none(self, tmp_path):
        make_customer(customer_id=5, external_id="A", age=40)
        report = import_file(by_external_id(tmp_path, ("A", 41), ("B", 30)), dry_run=True)
        assert (report.counts, report.given) == (RowCounts(new=1, changed=1), None)
        assert not LastGivenId.objects.exists()

    def test_their_scores_are_pending_as_those_of_all_new_customers(self, tmp_path):
        import_file(by_external_id(tmp_path, ("A", 40)))
        assert Customer.objects.get().stale_since

    def test_ids_that_another_program_takes_meanwhile_are_not_overwritten(self, tmp_path, monkeypatch):
        give = external_ids.give

        def and_another_program_is_faster(cursor, after):
            given = give(cursor, after)
            make_customer(customer_id=given.first, age=77)
            return given

        monkeypatch.setattr(external_ids, "give", and_another_program_is_faster)
        with pytest.raises(LoadError, match="another program has just stored customers under the new customer IDs"):
            import_file(by_external_id(tmp_path, ("A", 40)))
        monkeypatch.undo()
        [(taken, _, _)] = stored()
        import_file(by_external_id(tmp_path, ("A", 40)))
        assert stored() == [(taken, None, 77), (taken + 1, "A", 40)]

    def test_one_that_has_come_since_the_file_was_read_is_found(self, tmp_path, monkeypatch):
        give = external_ids.give

        def after_another_import(cursor, after):
            make_customer(customer_id=7, external_id="A", age=77)
            return give(cursor, after)

        monkeypatch.setattr(external_ids, "give", after_another_import)
        assert import_file(by_external_id(tmp_path, ("A", 40))).counts == RowCounts(changed=1)
        assert stored() == [(7, "A", 40)]


class TestBothIds:
    def test_the_external_one_is_stored_beside_the_id(self, tmp_path):
        report = import_file(by_both(tmp_path, (7, "A", 40), (8, "", 41)))
        assert (report.counts, stored()) == (RowCounts(new=2), [(7, "A", 40), (8, None, 41)])

    def test_an_empty_cell_leaves_it_as_it_is(self, tmp_path):
        make_customer(customer_id=7, external_id="A", age=40)
        import_file(by_both(tmp_path, (7, "", 41)))
        assert stored() == [(7, "A", 41)]

    def test_it_may_change_and_that_makes_no_score_pending(self, tmp_path):
        import_file(by_both(tmp_path, (7, "A", 40)))
        version = Customer.objects.get().version
        assert import_file(by_both(tmp_path, (7, "B", 40))).counts == RowCounts(changed=1)
        assert (stored(), Customer.objects.get().version) == ([(7, "B", 40)], version)

    def test_rows_without_an_id_are_found_by_it(self, tmp_path):
        make_customer(customer_id=7, external_id="A")
        import_file(by_both(tmp_path, ("", "A", 50), (9, "B", 51), ("", "C", 52)))
        assert stored() == [(7, "A", 50), (9, "B", 51), (10, "C", 52)]

    def test_a_row_without_any_is_rejected(self, tmp_path):
        report = import_file(by_both(tmp_path, ("", "", 50), (9, "B", 51)))
        assert report.rejects.summary() == ["1 row rejected, row 2: CustomerId and external_id have no value"]

    def test_of_a_repeated_external_id_the_first_row_wins(self, tmp_path):
        report = import_file(by_both(tmp_path, (7, "A", 40), ("", "A", 41), (8, "A", 42), (8, "B", 43)))
        assert (report.counts, report.rejects.rows) == (RowCounts(new=2), 2)
        assert stored() == [(7, "A", 40), (8, "B", 43)]

    def test_one_of_another_customer_refuses_the_file(self, tmp_path):
        make_customer(customer_id=7, external_id="A")
        with pytest.raises(RefusedError, match=r"^1 row names an external ID that another customer has, .* customer 8"):
            import_file(by_both(tmp_path, (8, "A", 40)))

    def test_two_rows_of_one_customer_refuse_it_too(self, tmp_path):
        make_customer(customer_id=7, external_id="A")
        with pytest.raises(RefusedError, match=r"^1 row names a customer whom another row .* customer 7\."):
            import_file(by_both(tmp_path, (7, "", 40), ("", "A", 41)))


class TestCells:
    @pytest.mark.parametrize("cell", ["00123", "AB123", "12-b"])
    def test_a_customer_id_that_is_no_number_leads_to_the_external_id(self, cell, tmp_path):
        report = import_file(write(tmp_path / "a.csv", row(0, CustomerId=cell)))
        [line] = report.rejects.summary()
        assert line.endswith(
            "CustomerId must be a whole number without leading zeros; map the column to external_id to keep "
            "identifiers with letters or leading zeros"
        )
        assert cell not in line

    def test_which_a_mapping_does(self, tmp_path):
        path = write(tmp_path / "a.csv", row(0, CustomerId="00123"))
        import_file(path, mapping={"CustomerId": "external_id"})
        assert [it[1] for it in stored()] == ["00123"]

    @pytest.mark.parametrize(
        ("cell", "reason"), [("x" * 65, "is longer than 64 characters"), ("a\tb", "contains control characters")]
    )
    def test_what_no_external_id_can_be(self, cell, reason, tmp_path):
        report = import_file(by_external_id(tmp_path, (cell, 40)))
        assert report.rejects.summary() == [f"1 row rejected, row 2: ExternalId {reason}"]

    def test_one_that_looks_like_a_formula_comes_back_from_an_export(self, tmp_path):
        import_file(by_external_id(tmp_path, ("'-A", 40)))
        assert [it[1] for it in stored()] == ["-A"]


class TestOtherFiles:
    def test_outcomes_find_their_customers(self, tmp_path):
        make_customer(customer_id=7, external_id="A")
        text = "customer_id,external_id,date\n,A,2026-03-31\n9,,2026-03-31\n,gone,2026-03-31\n"
        report = import_outcomes(write_text(tmp_path / "a.csv", text))
        assert list(Outcome.objects.order_by("pk").values_list("pk", flat=True)) == [7, 9]
        assert report.notes[-1] == "Not stored, since no present customer has the external ID: 1 row"

    def test_an_outcome_that_finds_none_keeps_the_others_from_counting_as_stayed(self, tmp_path):
        text = "external_id,date\ngone,2026-03-31\n"
        make_customer(external_id="A")
        import_outcomes(write_text(tmp_path / "a.csv", text + "A,2026-03-31\n"), observed_until="2026-03-31")
        assert complete_until() is None

    def test_two_outcomes_of_one_customer_are_refused(self, tmp_path):
        make_customer(customer_id=7, external_id="A")
        with pytest.raises(RefusedError, match="Several rows are of the same customer"):
            import_outcomes(
                write_text(tmp_path / "a.csv", "customer_id,external_id,date\n,A,2026-03-31\n7,,2026-04-30\n")
            )

    def test_customers_who_object_are_not_learned_from(self, tmp_path):
        body = [[*row(n, Exited=str(n % 2)), f"E{n}"] for n in range(1, 13)]
        path = write(tmp_path / "a.csv", *body, header=[*HEADER, "external_id"])
        file = read_labelled(path, objected={"E3", 4})
        assert (file.objected, len(file.data.labels)) == (2, 10)

    def test_training_asks_for_them_by_both_ids(self):
        make_customer(customer_id=7, external_id="A", objected_at=timezone.now())
        make_customer(customer_id=8, objected_at=timezone.now())
        make_customer(customer_id=9, external_id="B")
        assert train_model.Command().objected() == {7, 8, "A"}


class TestColumn:
    def test_no_two_customers_have_the_same(self):
        make_customer(external_id="A")
        with pytest.raises(IntegrityError), transaction.atomic():
            make_customer(external_id="A")

    @pytest.mark.parametrize("nothing", ["", None])
    def test_any_number_may_have_none(self, nothing):
        make_customer(external_id=nothing)
        assert make_customer(external_id=nothing)

    def test_it_is_found_by_an_index(self):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("EXPLAIN SELECT FROM customers_customer WHERE external_id = 'A'")
            assert "customer_external_id" in str(cursor.fetchall())
