"""The command: what it prints, and how it exits."""

import io
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from customers import turns
from customers.import_export import staging
from customers.management import progress
from customers.management.progress import TerminalProgress
from customers.models import Customer
from tests.customers.import_export.csv_files.texts import HEADER, row, rows, text_of, write
from tests.databases import url_of_test_database
from tests.others import outsider


def run(path, *options):
    """What a call prints on standard output."""
    out = io.StringIO()
    call_command("import_customers", str(path), *options, stdout=out)
    return out.getvalue()


def refusal(path, *options):
    """How a call that does not succeed exits, and what it says."""
    out = io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("import_customers", str(path), *options, stdout=out)
    return caught.value.returncode, str(caught.value), out.getvalue()


@pytest.mark.django_db
class TestReport:
    def test_it_counts_new_changed_and_unchanged_rows(self, tmp_path):
        run(write(tmp_path / "a.csv", *rows(3)))
        said = run(write(tmp_path / "b.csv", row(2, Age="50"), *rows(3, first=3)))
        assert said.splitlines()[1] == "2 new, 1 changed, 1 unchanged, 0 rejected"
        assert "4 rows in 0." in said
        assert " rows/s" in said

    def test_columns_that_are_ignored_are_named_once(self, tmp_path):
        said = run(write(tmp_path / "a.csv", *rows(3)))
        assert said.splitlines()[0] == "Ignored columns: RowNumber, EstimatedSalary, Exited"
        assert said.count("RowNumber") == 1

    def test_a_file_of_stored_columns_alone_ignores_none(self, tmp_path):
        header, cells = HEADER[1:-2], row(1)[1:-2]
        assert "Ignored" not in run(write(tmp_path / "a.csv", cells, header=header))

    def test_columns_with_a_number_format_of_their_own_are_named(self, tmp_path):
        said = run(write(tmp_path / "a.csv", row(1, Balance="1.234,50"), row(2, Balance="€ 125.000", Age="42,0")))
        assert said.splitlines()[1:3] == ["Age: decimal comma", "Balance: decimal comma, thousands by point, in EUR"]
        assert list(Customer.objects.order_by("pk").values_list("balance", flat=True)) == [Decimal("1234.50"), 125000]

    def test_a_dry_run_says_so(self, tmp_path):
        said = run(write(tmp_path / "a.csv", *rows(3)), "--dry-run")
        assert "Dry run, nothing stored: 3 new, 0 changed, 0 unchanged, 0 rejected" in said
        assert not Customer.objects.exists()

    def test_rejected_rows_are_summed_up_by_reason(self, tmp_path):
        path = write(tmp_path / "a.csv", row(1, Age="200"), row(2, Age="12"), row(3, Surname="Secret" * 20), row(4)[:3])
        _, _, said = refusal(path)
        assert "2 rows rejected, the first in row 2: Age must be a whole number from 18 to 110\n" in said
        assert "1 row rejected, row 5: the row does not have 14 cells as the header has\n" in said
        assert f"Rejected rows are in {tmp_path / 'a.rejects.csv'}" in said
        assert "Secret" not in said

    def test_very_many_kinds_of_reasons_are_not_all_told(self, tmp_path):
        columns = ["CreditScore", "Geography", "Gender", "Age", "Tenure", "Balance"]
        bad = [row(i, **{column: cell}) for i, column in enumerate(columns, start=1) for cell in ("?", "x" * 61)]
        _, _, said = refusal(write(tmp_path / "a.csv", *bad))
        assert said.count("1 row rejected, row ") == 10
        assert "Further rows rejected for 2 more reasons" in said


@pytest.mark.django_db
class TestExitCodes:
    def test_some_rows_rejected(self, tmp_path):
        code, said, _ = refusal(write(tmp_path / "a.csv", row(1), row(2, Age="200")))
        assert (code, said) == (2, "Rejected rows: 1.")
        assert Customer.objects.count() == 1

    def test_a_dry_run_with_rejects_exits_alike(self, tmp_path):
        assert refusal(write(tmp_path / "a.csv", row(1), row(2, Age="200")), "--dry-run")[0] == 2

    def test_the_whole_file_refused(self, tmp_path):
        code, said, _ = refusal(tmp_path / "nowhere.csv")
        assert (code, said) == (1, f"There is no file {tmp_path / 'nowhere.csv'}. Nothing was stored.")

    def test_amounts_that_may_be_thousands_refuse_the_file_until_the_user_says_what_they_are(self, tmp_path):
        path = write(tmp_path / "a.csv", row(1, Balance="83.800"), row(2, Balance="0"))
        code, said, _ = refusal(path)
        assert (code, Customer.objects.count()) == (1, 0)
        assert "Balance is ambiguous: 83.800 (line 2)" in said
        assert said.endswith("Nothing was stored.")
        assert "Balance: decimal comma, thousands by point" in run(path, "--decimal=comma")
        assert Customer.objects.get(pk=1).balance == 83800

    @pytest.mark.parametrize("rows_per_batch", ["0", "-1", "many"])
    def test_an_impossible_batch_size(self, rows_per_batch, tmp_path):
        assert "--batch-rows" in refusal(write(tmp_path / "a.csv", row(1)), f"--batch-rows={rows_per_batch}")[1]


@pytest.mark.django_db(transaction=True)
class TestEndsHalfWay:
    def test_a_value_that_only_the_database_refuses_stops_it_and_the_rows_before_stay(self, tmp_path):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE customers_customer ADD CONSTRAINT house_rule CHECK (age < 60)")
        try:
            path = write(tmp_path / "a.csv", *rows(4), row(5, Age="70"), row(6))
            code, said, _ = refusal(path, "--batch-rows=2")
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE customers_customer DROP CONSTRAINT house_rule")
        assert code == 1
        assert said.startswith("The import stopped after 4 rows were stored:")
        assert "house_rule" in said
        assert Customer.objects.count() == 4

    def test_ctrl_c_ends_it_between_two_slices_and_the_same_again_finishes_the_job(self, tmp_path, monkeypatch):
        def interrupt(self, what, rows):
            if what == "stored":
                raise KeyboardInterrupt

        path = write(tmp_path / "a.csv", *rows(6))
        with monkeypatch.context() as patch:
            patch.setattr(TerminalProgress, "__call__", interrupt)
            with pytest.raises(KeyboardInterrupt):
                run(path, "--batch-rows=2")
        assert Customer.objects.count() == 2
        assert "4 new, 0 changed, 2 unchanged" in run(path)
        assert turn_is_free()

    def test_as_a_process_it_exits_with_the_code_and_prints_no_traceback(self, tmp_path):
        path = write(tmp_path / "a.csv", row(1), row(2, Age="200"))
        done = as_process(path)
        assert (done.returncode, done.stderr) == (2, "CommandError: Rejected rows: 1.\n")
        assert "1 new, 0 changed, 0 unchanged, 1 rejected" in done.stdout
        assert Customer.objects.get().pk == 1

    def test_a_pipe_is_read_and_its_rejected_rows_come_into_the_current_directory(self, tmp_path):
        text = text_of([HEADER, row(1, Balance="1'250.00"), row(2, Age="200")])
        done = as_process("-", input=text, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (2, "CommandError: Rejected rows: 1.\n")
        assert "Rejected rows are in stdin.rejects.csv" in done.stdout
        assert Customer.objects.get().balance == 1250
        assert [file.name for file in tmp_path.iterdir()] == ["stdin.rejects.csv"]


def as_process(path, **how):
    """Run ``manage.py import_customers`` on the test database."""
    return subprocess.run(
        [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "import_customers", str(path)],
        env=os.environ | {"DATABASE_URL": url_of_test_database()},
        capture_output=True,
        text=True,
        timeout=60,
        **how,
    )


def turn_is_free():
    with outsider() as other:
        return other.execute(turns.HOLD, [staging.TURN]).rowcount == 1


class Terminal(io.StringIO):
    def isatty(self):
        return True


class TestProgress:
    def test_a_terminal_sees_one_line_that_is_gone_at_the_end(self, monkeypatch):
        monkeypatch.setattr(progress, "PAUSE_SECONDS", 0)
        terminal = Terminal()
        with TerminalProgress(terminal) as tell:
            tell("read", 10_000)
            tell("waiting for another import", 0)
        clear = progress.CLEAR_LINE
        assert terminal.getvalue() == f"{clear}10,000 rows read{clear}waiting for another import{clear}"

    def test_it_is_not_told_more_often_than_a_user_can_read(self):
        terminal = Terminal()
        with TerminalProgress(terminal) as tell:
            for rows_read in range(1, 1000):
                tell("read", rows_read)
        assert terminal.getvalue().count("rows read") < 10

    def test_a_file_or_a_pipe_sees_nothing(self):
        pipe = io.StringIO()
        with TerminalProgress(pipe) as tell:
            tell("read", 10_000)
        assert pipe.getvalue() == ""
