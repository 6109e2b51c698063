"""A file of customers of whom it is known whether they left, as data to train on."""

import gzip

import pytest

from customers.import_export.csv_files.columns import BANKS_NAMES
from customers.import_export.csv_files.file import RefusedError
from customers.import_export.training_file import LEARNED, about_repeated, read_labelled
from tests.customers.import_export.csv_files.texts import HEADER, renamed, row, text_of, without, write, write_text

FEATURES_OF_SOMEBODY = (619.0, "France", "Female", 42.0, 2.0, 119700.25, 1.0, 1.0, 0.0)


def some(number=10, **cells):
    """Customers, every other one of whom left."""
    return [row(1000 + n, **({"Exited": str(n % 2)} | cells)) for n in range(number)]


TABLE = [HEADER, *some()]
VARIANTS = {
    "as the public table": lambda: text_of(TABLE),
    "semicolons, CRLF and a byte order mark": lambda: "\ufeff" + text_of(TABLE, delimiter=";", line_end="\r\n"),
    "tabs and padding": lambda: "\n".join(" \t ".join(cells) for cells in TABLE),
    "another order": lambda: text_of([cells[::-1] for cells in TABLE]),
    "aliases": lambda: text_of(renamed(TABLE, Geography="country", HasCrCard="credit_card", Exited="churn")),
    "snake_case": lambda: text_of(renamed(TABLE, CreditScore="credit_score", Exited="exited")),
    "no ids or names": lambda: text_of(without("RowNumber", without("CustomerId", without("Surname", TABLE)))),
    "words": lambda: text_of(
        [HEADER, *(row(n, Gender="f", HasCrCard="YES", Exited="ny"[n % 2]) for n in range(2, 12))]
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_of_the_layout_ends_in_the_same_data(variant, tmp_path):
    file = read_labelled(write_text(tmp_path / "a.csv", VARIANTS[variant]()))
    assert file.data.rows == [FEATURES_OF_SOMEBODY] * 10
    assert file.data.labels.tolist() == [0, 1] * 5
    assert file.rejects.rows == 0


def test_amounts_are_read_by_the_number_format_of_their_column_and_that_is_told(tmp_path):
    file = read_labelled(write(tmp_path / "a.csv", *some(9, Balance="119.700,25"), row(1009, Balance="83.800")))
    assert [customer[5] for customer in file.data.rows] == [119700.25] * 9 + [83800]
    assert file.formats == ["Balance: decimal comma, thousands by point"]


def test_amounts_that_may_be_thousands_are_refused_until_the_user_says_what_they_are(tmp_path):
    path = write(tmp_path / "a.csv", *some(Balance="83.800"))
    with pytest.raises(RefusedError, match=r"^Balance is ambiguous: 83\.800 \(line 2\) .* give --decimal comma"):
        read_labelled(path)
    assert read_labelled(path, "comma").data.rows[0][5] == 83800


def test_a_packed_file_is_read_as_what_it_holds(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(text_of(TABLE).encode()))
    assert read_labelled(path).data.rows == [FEATURES_OF_SOMEBODY] * 10


def test_columns_that_are_not_learned_from_come_along_as_text(tmp_path):
    path = write(
        tmp_path / "a.csv", *some(9), row(1009, Surname="n/a", Exited="1"), header=[*HEADER[:-2], "", "Exited"]
    )
    others = dict(read_labelled(path).data.others)
    assert list(others) == ["RowNumber", "CustomerId", "Surname", "column 13 (no name)"]
    assert others["Surname"] == ["Maronard"] * 9 + [""]
    assert others["CustomerId"] == [str(1000 + n) for n in range(10)]


def test_rows_that_the_import_would_reject_are_left_out_and_told(tmp_path):
    bad = [row(1, Age="200"), row(2, Geography="x" * 61), row(3, Balance="?"), row(1000), row(5, Exited="maybe")]
    file = read_labelled(write(tmp_path / "a.csv", *some(), *bad, row(6, Exited="")))
    assert len(file.data.rows) == len(file.data.labels) == len(file.data.others[0][1]) == 10
    assert file.rejects.rows == 6
    assert file.rejects.summary() == [
        "1 row rejected, row 12: Age must be a whole number from 18 to 110",
        "1 row rejected, row 13: Geography must be a word of at most 60 characters, without control characters",
        "1 row rejected, row 14: Balance has no value",
        "1 row rejected, row 15: CustomerId repeats the customer of an earlier row, which was taken",
        "1 row rejected, row 16: Exited must be yes or no, 1 or 0",
        "1 row rejected, row 17: Exited has no value",
    ]


def test_a_surname_that_could_not_be_stored_keeps_no_row_from_being_learned_from(tmp_path):
    assert read_labelled(write(tmp_path / "a.csv", *some(Surname="x" * 500))).rejects.rows == 0


@pytest.mark.parametrize("field", LEARNED)
def test_a_missing_column_is_named(field, tmp_path):
    table = without(BANKS_NAMES[field], TABLE)
    with pytest.raises(RefusedError, match=f"lacks the column {BANKS_NAMES[field]}"):
        read_labelled(write_text(tmp_path / "a.csv", text_of(table)))


def test_a_label_of_an_unknown_name_is_asked_for_among_the_columns_that_are_not_known(tmp_path):
    table = renamed(without("Surname", TABLE), Exited="gone_2025")
    told = (
        r"lacks the column Exited\. Rename or map the column that tells who left \(1\) and who stayed \(0\) to Exited; "
    )
    with pytest.raises(RefusedError, match=f"{told}not known are RowNumber, EstimatedSalary, gone_2025"):
        read_labelled(write_text(tmp_path / "a.csv", text_of(table)))


def test_rows_that_repeat_a_customer_are_left_out_with_what_can_be_done(tmp_path):
    table = [*TABLE, *some(4)]
    file = read_labelled(write_text(tmp_path / "a.csv", text_of(table)))
    [told] = about_repeated(file.rejects)
    assert told.startswith("CustomerId repeats in 4 rows. If every row is a customer of its own, take that column out")
    assert (
        about_repeated(read_labelled(write_text(tmp_path / "b.csv", text_of(without("CustomerId", table)))).rejects)
        == []
    )
    alike = write(tmp_path / "c.csv", *(row(1, Exited=str(n % 2)) for n in range(20)))
    with pytest.raises(
        RefusedError, match=r"the file has 0 and 1 that can be read\..* take that column out of the file"
    ):
        read_labelled(alike)


def test_two_columns_for_the_label_are_refused(tmp_path):
    with pytest.raises(RefusedError, match="hold the same: churn and Exited"):
        read_labelled(write(tmp_path / "a.csv", *some(), header=["churn" if n == "RowNumber" else n for n in HEADER]))


def test_too_few_of_either_are_refused_and_what_was_rejected_is_told(tmp_path):
    with pytest.raises(RefusedError, match=r"the file has 4 and 5 that can be read\. 1 row rejected, row 11: Age"):
        read_labelled(write(tmp_path / "a.csv", *some(9), row(1, Age="200")))


def test_a_file_that_is_no_csv_is_told_as_by_the_import(tmp_path):
    with pytest.raises(RefusedError, match="There is no file"):
        read_labelled(tmp_path / "none.csv")
    with pytest.raises(RefusedError, match="has a header and no rows"):
        read_labelled(write(tmp_path / "a.csv"))
