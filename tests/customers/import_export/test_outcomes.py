"""Who really left, from a file."""

import io
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.utils import timezone

from customers.import_export.csv_files.file import RefusedError
from customers.import_export.outcomes import complete_until, import_outcomes
from customers.import_export.staging import RowCounts
from customers.models import Customer, Outcome, OutcomesComplete, ScoreRecord
from tests.customers.import_export.csv_files.texts import text_of, write_text
from tests.factories import make_customer, make_scored

pytestmark = pytest.mark.django_db

HEADER = ["customer_id", "date"]
MARCH, APRIL = date(2026, 3, 31), date(2026, 4, 30)


def file(folder: Path, *rows: list[str], header: list[str] = HEADER, name: str = "outcomes.csv") -> Path:
    return write_text(folder / name, text_of([header, *rows]))


def stored():
    return list(Outcome.objects.order_by("pk").values_list("pk", "left_on", "stayed_until"))


class TestFile:
    def test_all_in_it_have_left(self, tmp_path):
        report = import_outcomes(file(tmp_path, ["7", "2026-03-31"], ["8", "2026-04-30"]))
        assert (report.counts, report.rejects.rows) == (RowCounts(new=2), 0)
        assert stored() == [(7, MARCH, None), (8, APRIL, None)]

    def test_unless_it_has_a_column_that_says_who(self, tmp_path):
        rows = [["7", "1", "2026-03-31"], ["8", "no", "2026-04-30"], ["9", "Yes", "2026-04-30"]]
        import_outcomes(file(tmp_path, *rows, header=["Customer ID", "Left", "Date"]))
        assert stored() == [(7, MARCH, None), (8, None, APRIL), (9, APRIL, None)]

    def test_the_layouts_of_every_import_are_understood(self, tmp_path):
        text = "\ufeffCUST ID;exit date;branch\r\n7.0; 2026-03-31 00:00:00 ;north\r\n"
        report = import_outcomes(write_text(tmp_path / "a.csv", text))
        assert report.ignored == ["branch"]
        assert stored() == [(7, MARCH, None)]

    @pytest.mark.parametrize(
        ("cells", "reason"),
        [
            (["0", "2026-03-31"], "customer_id must be a whole number from 1"),
            (["7", ""], "date has no value"),
            (["7", "31.03.2026"], "date must be a day such as 2026-03-31"),
            (["7", "2026-02-30"], "date must be a day such as 2026-03-31"),
            (["7", "2026-03-31 11:15:00"], "date must be a day such as 2026-03-31"),
            (["7", "2999-01-01"], "date is in the future"),
        ],
    )
    def test_bad_rows_are_rejected_with_row_and_reason_while_the_others_load(self, cells, reason, tmp_path):
        report = import_outcomes(file(tmp_path, cells, ["8", "2026-04-30"]))
        assert (report.counts, report.rejects.rows) == (RowCounts(new=1), 1)
        assert f"2,{reason.split()[0]},{reason}" in (tmp_path / "outcomes.rejects.csv").read_text()

    def test_of_a_repeated_customer_the_first_row_wins(self, tmp_path):
        report = import_outcomes(file(tmp_path, ["7", "2026-03-31"], ["7", "2026-04-30"]))
        assert (report.rejects.rows, stored()) == (1, [(7, MARCH, None)])

    def test_today_is_not_the_future(self, tmp_path):
        import_outcomes(file(tmp_path, ["7", timezone.localdate().isoformat()]))
        assert Outcome.objects.count() == 1

    def test_a_file_without_dates_is_refused(self, tmp_path):
        with pytest.raises(RefusedError, match="lacks the column date"):
            import_outcomes(file(tmp_path, ["7"], header=["customer_id"]))

    def test_a_file_of_customers_is_refused(self, tmp_path):
        with pytest.raises(RefusedError, match="lacks the column date"):
            import_outcomes(write_text(tmp_path / "a.csv", "CustomerId,Surname,Age,Exited\n7,Maronard,40,1\n"))

    def test_a_second_header_shows_that_files_were_joined(self, tmp_path):
        with pytest.raises(RefusedError, match="second header"):
            import_outcomes(file(tmp_path, ["7", "2026-03-31"], HEADER))
        assert stored() == []

    def test_a_word_of_an_ignored_column_is_no_second_header(self, tmp_path):
        rows = [["?", "2026-03-31", "left"], ["8", "2026-03-31", "left"]]
        report = import_outcomes(file(tmp_path, *rows, header=[*HEADER, "status"]))
        assert (report.counts, report.rejects.rows) == (RowCounts(new=1), 1)


class TestAgain:
    def test_the_same_file_changes_nothing(self, tmp_path):
        path = file(tmp_path, ["7", "2026-03-31"], ["8", "2026-04-30"])
        import_outcomes(path)
        assert import_outcomes(path).counts == RowCounts(unchanged=2)

    def test_a_newer_one_replaces_what_it_names(self, tmp_path):
        import_outcomes(file(tmp_path, ["7", "2026-03-31", "0"], ["8", "2026-03-31", "0"], header=[*HEADER, "left"]))
        report = import_outcomes(file(tmp_path, ["7", "2026-04-30"]))
        assert report.counts == RowCounts(changed=1)
        assert stored() == [(7, APRIL, None), (8, None, MARCH)]

    def test_a_dry_run_tells_the_same_and_stores_nothing(self, tmp_path):
        report = import_outcomes(file(tmp_path, ["7", "2026-03-31"]), dry_run=True, observed_until=APRIL)
        assert (report.counts, report.is_complete) == (RowCounts(new=1), True)
        assert (stored(), complete_until()) == ([], None)

    def test_customers_are_left_alone(self, tmp_path):
        customer = make_scored()
        import_outcomes(file(tmp_path, [str(customer.pk), "2026-03-31"]))
        assert Customer.objects.get().version == customer.version
        assert ScoreRecord.objects.count() == 1


class TestUnknown:
    def test_who_is_neither_a_customer_nor_was_one_is_counted(self, tmp_path):
        present, deleted = make_customer(), make_scored()
        rows = [[str(customer_id), "2026-03-31"] for customer_id in (present.pk, deleted.pk, 2**40)]
        deleted.delete()
        report = import_outcomes(file(tmp_path, *rows))
        assert (report.unknown, report.counts.new) == (1, 3)


class TestComplete:
    def test_without_a_word_no_customer_is_known_to_have_stayed(self, tmp_path):
        import_outcomes(file(tmp_path, ["7", "2026-03-31"]))
        assert complete_until() is None

    def test_the_newest_word_counts(self, tmp_path):
        path = file(tmp_path, ["7", "2026-03-31"])
        import_outcomes(path, observed_until=APRIL)
        import_outcomes(path, observed_until=MARCH)
        assert complete_until() == MARCH

    def test_the_same_word_is_kept_once(self, tmp_path):
        path = file(tmp_path, ["7", "2026-03-31"])
        for _ in range(2):
            import_outcomes(path, observed_until=APRIL)
        assert OutcomesComplete.objects.count() == 1

    def test_a_rejected_row_may_be_of_a_customer_who_left(self, tmp_path):
        report = import_outcomes(file(tmp_path, ["7", "?"], ["8", "2026-03-31"]), observed_until=APRIL)
        assert (report.is_complete, complete_until()) == (False, None)
        mended = (tmp_path / "outcomes.rejects.csv").read_text().replace("?", "2026-03-30")
        import_outcomes(write_text(tmp_path / "mended.csv", mended), observed_until=APRIL)
        assert complete_until() == APRIL


def test_an_outcome_is_one_of_both(db):
    with pytest.raises(IntegrityError, match="outcome_left_or_stayed"):
        Outcome.objects.create(customer_id=1, left_on=MARCH, stayed_until=APRIL)


def test_an_outcome_says_what_it_is():
    assert str(Outcome(customer_id=1, left_on=MARCH)) == "customer 1 left 2026-03-31"
    assert str(Outcome(customer_id=1, stayed_until=MARCH)) == "customer 1 stayed"
    assert str(OutcomesComplete(until=MARCH)) == "outcomes are complete until 2026-03-31"


def run(path, *options):
    """What a call prints, and how it exits."""
    out = io.StringIO()
    try:
        call_command("import_outcomes", str(path), *options, stdout=out)
    except CommandError as error:
        return f"{out.getvalue()}{error}", error.returncode
    return out.getvalue(), 0


class TestCommand:
    def test_it_counts_rows_and_strangers(self, tmp_path):
        said, code = run(file(tmp_path, ["7", "2026-03-31"], ["8", "2026-03-31"]))
        assert said.startswith("2 new, 0 changed, 0 unchanged, 0 rejected\n2 rows in ")
        assert "2 of them belong to no present or former customer" in said
        assert code == 0

    def test_it_says_what_follows_from_the_word(self, tmp_path):
        said, _ = run(file(tmp_path, ["7", "2026-03-31"]), "--observed-until=2026-04-30")
        assert "Customers in no file count as having stayed until 2026-04-30" in said
        assert complete_until() == APRIL

    def test_and_why_it_was_not_taken(self, tmp_path):
        said, code = run(file(tmp_path, ["7", "?"]), "--observed-until=2026-04-30")
        assert "This file does not show who stayed" in said
        assert said.endswith("Rejected rows: 1.")
        assert code == 2

    @pytest.mark.parametrize("day", ["soon", "30.04.2026", (date.today() + timedelta(days=2)).isoformat()])
    def test_a_day_that_cannot_be_is_refused(self, day, tmp_path):
        said, _ = run(file(tmp_path, ["7", "2026-03-31"]), f"--observed-until={day}")
        assert "--observed-until" in said
        assert stored() == []

    def test_a_refused_file_stores_nothing(self, tmp_path):
        assert run(tmp_path / "nowhere.csv") == (f"There is no file {tmp_path / 'nowhere.csv'}. Nothing was stored.", 1)
