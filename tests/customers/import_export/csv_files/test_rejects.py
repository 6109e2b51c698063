"""What becomes of rows that could not be loaded."""

import csv
import os
import stat
from pathlib import Path

import pytest

from customers.import_export.csv_files import rejects as rejects_module
from customers.import_export.csv_files.file import RefusedError
from customers.import_export.csv_files.rejects import Rejects, default_path, remove_former
from customers.import_export.csv_files.rows import Fault, Rejected

A_FAULT = Fault("Age", "must be a whole number from 18 to 110")


def rejected(row_number=2, faults=(A_FAULT,), cells=("1", "Maronard", "200")):
    return Rejected(row_number, list(faults), list(cells))


def reject(path, *rows, names=("Id", "Surname", "Age")):
    rejects = Rejects(path, names)
    for each in rows:
        rejects.add(each)
    rejects.publish()
    return rejects


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_a_rejected_row_stands_there_with_its_reasons_and_its_cells(tmp_path):
    path = tmp_path / "a.rejects.csv"
    reject(path, rejected(7, [A_FAULT, Fault("Id", "repeats another", "row 2")]))
    assert table(path) == [
        ["row_number", "column", "reason", "Id", "Surname", "Age"],
        [
            "7",
            "Age; Id",
            "Age must be a whole number from 18 to 110; Id repeats another (row 2)",
            "1",
            "Maronard",
            "200",
        ],
    ]


def test_text_that_a_spreadsheet_would_run_is_made_harmless_and_numbers_stay(tmp_path):
    path = tmp_path / "a.rejects.csv"
    reject(path, rejected(faults=[Fault("=evil", "bad")], cells=("-5", "=1+1", "+2.5")), names=("Id", "@name", "=evil"))
    assert table(path) == [
        ["row_number", "column", "reason", "Id", "'@name", "'=evil"],
        ["2", "'=evil", "'=evil bad", "-5", "'=1+1", "+2.5"],
    ]


def test_the_file_holds_customers_data_and_is_for_its_owner_alone(tmp_path):
    path = tmp_path / "a.rejects.csv"
    reject(path, rejected())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_reasons_are_counted_by_kind_with_the_first_row_of_each(tmp_path):
    repeated = [Fault("Id", "repeats another", f"row {number}") for number in (1, 2)]
    rejects = reject(None, rejected(7), rejected(8, [repeated[0], A_FAULT]), rejected(9, [repeated[1]]))
    assert rejects.rows == 3
    assert rejects.kinds == {A_FAULT: 2, Fault("Id", "repeats another"): 2}
    assert rejects.first_rows == {A_FAULT: 7, Fault("Id", "repeats another"): 8}


def test_without_rejected_rows_there_is_no_file(tmp_path):
    reject(tmp_path / "a.rejects.csv")
    assert list(tmp_path.iterdir()) == []


def test_what_is_discarded_before_it_was_complete_leaves_nothing(tmp_path):
    rejects = Rejects(tmp_path / "a.rejects.csv", ["Id"])
    rejects.add(rejected())
    rejects.discard()
    rejects.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_refuses_the_import(tmp_path):
    with pytest.raises(RefusedError, match=r"cannot be written to .*No such file or directory.*--rejects"):
        reject(tmp_path / "nowhere" / "a.csv", rejected())


def test_a_place_that_became_a_directory_meanwhile_refuses_the_import(tmp_path):
    with pytest.raises(RefusedError, match="cannot be written"):
        reject(tmp_path, rejected())


@pytest.mark.parametrize(
    ("source", "rejects"), [("a.csv", "a.rejects.csv"), ("a", "a.rejects.csv"), ("a.b.txt", "a.b.rejects.csv")]
)
def test_the_file_stands_beside_the_imported_one(source, rejects, tmp_path):
    assert default_path(tmp_path / source) == tmp_path / rejects


class TestFormerRejects:
    @pytest.mark.parametrize(("name", "stays"), [("stdin.rejects.csv", True), ("named.csv", False)])
    def test_those_of_a_pipe_stay_unless_they_were_named(self, name, stays, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        pipe, path = tmp_path / "stdin", Path(name)
        os.mkfifo(pipe)
        monkeypatch.setattr(rejects_module, "default_path", lambda source: Path("stdin.rejects.csv"))
        reject(path, rejected())
        remove_former(path, pipe)
        assert path.exists() is stays

    def test_they_are_taken_away(self, tmp_path):
        source, path = tmp_path / "a.csv", tmp_path / "a.rejects.csv"
        source.touch()
        reject(path, rejected())
        remove_former(path, source)
        assert not path.exists()

    def test_they_stay_when_there_is_nothing_to_import(self, tmp_path):
        path = tmp_path / "a.rejects.csv"
        reject(path, rejected())
        remove_former(path, tmp_path / "a.csv")
        assert path.exists()

    def test_any_other_file_is_never_touched(self, tmp_path):
        source, path = tmp_path / "a.csv", tmp_path / "letters.txt"
        source.touch()
        path.write_text("Dear customer")
        with pytest.raises(RefusedError, match="is not a rejects file"):
            remove_former(path, source)
        assert path.read_text() == "Dear customer"

    def test_the_imported_file_itself_is_never_touched(self, tmp_path):
        source = tmp_path / "a.rejects.csv"
        reject(source, rejected())
        with pytest.raises(RefusedError, match="name another"):
            remove_former(source, source)
        assert source.exists()

    def test_a_directory_is_refused(self, tmp_path):
        source = tmp_path / "a.csv"
        source.touch()
        with pytest.raises(RefusedError, match="name another"):
            remove_former(tmp_path, source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("data/a.csv", "data/a.rejects.csv"),
        ("data/a.csv.gz", "data/a.rejects.csv"),
        ("/dev/stdin", "stdin.rejects.csv"),
        ("/dev/fd/63", "63.rejects.csv"),
        ("/proc/self/fd/0", "0.rejects.csv"),
        ("/dev/shm/a.csv", "/dev/shm/a.rejects.csv"),
    ],
)
def test_they_go_beside_the_file_and_nowhere_among_the_devices(source, expected):
    assert default_path(Path(source)) == Path(expected)
