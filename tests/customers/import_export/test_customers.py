"""A whole file into the customer table."""

import pytest

from customers.import_export.csv_files.file import RefusedError
from customers.import_export.customers import import_file
from customers.import_export.staging import RowCounts
from customers.models import Customer
from tests.customers.import_export.csv_files.texts import (
    HEADER,
    renamed,
    row,
    rows,
    text_of,
    without,
    write,
    write_text,
)

pytestmark = pytest.mark.django_db

VARIANTS = {
    "semicolons and CRLF": lambda table: text_of(table, delimiter=";", line_end="\r\n"),
    "tabs and CR": lambda table: text_of(table, delimiter="\t", line_end="\r"),
    "a byte order mark": lambda table: "\ufeff" + text_of(table),
    "padding": lambda table: "\n".join(" , ".join(cells) for cells in table),
    "another order": lambda table: text_of([cells[::-1] for cells in table]),
    "more columns": lambda table: text_of([["more", *cells, "even more"] for cells in table]),
    "fewer columns": lambda table: text_of(without("RowNumber", without("Exited", without("EstimatedSalary", table)))),
    "snake_case": lambda table: text_of(renamed(table, CustomerId="customer_id", CreditScore="credit_score")),
    "aliases": lambda table: text_of(
        renamed(table, Geography="country", NumOfProducts="products_number", HasCrCard="credit_card", Exited="churn")
    ),
    "no line end at the end": lambda table: text_of(table).rstrip("\n"),
}


def stored(*fields):
    return list(Customer.objects.order_by("pk").values_list(*fields))


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_of_the_layout_ends_in_the_same_customers(variant, tmp_path):
    import_file(write(tmp_path / "public.csv", *rows(3)))
    table = [HEADER, *rows(3)]
    report = import_file(write_text(tmp_path / "variant.csv", VARIANTS[variant](table)))
    assert (report.counts, report.rejects.rows) == (RowCounts(unchanged=3), 0)


def test_words_in_place_of_numbers_and_any_capitals_end_in_the_same_customer(tmp_path):
    import_file(write(tmp_path / "a.csv", row(7)))
    cells = row(7, Gender="f", Geography="FRANCE", HasCrCard="Yes", IsActiveMember="FALSE", Age="42.0", Tenure=" 2 ")
    assert import_file(write(tmp_path / "b.csv", cells)).counts == RowCounts(unchanged=1)


def test_a_file_without_surnames_blanks_none(tmp_path):
    import_file(write(tmp_path / "a.csv", row(7)))
    table = without("Surname", [HEADER, row(7, Age="50"), row(8)])
    report = import_file(write_text(tmp_path / "b.csv", text_of(table)))
    assert report.counts == RowCounts(new=1, changed=1)
    assert stored("surname", "age") == [("Maronard", 50), ("", 42)]


def test_a_surname_with_delimiters_quotes_and_line_breaks_is_stored_as_it_is(tmp_path):
    surname = 'Mar, "Onard"\n\\N; the\tfirst'
    import_file(write(tmp_path / "a.csv", row(7, Surname=surname)))
    assert stored("surname") == [(surname,)]


def test_good_rows_load_while_the_others_are_told_with_row_column_and_reason(tmp_path):
    path = write(tmp_path / "a.csv", row(7), row(8, Age="200"), row(9, Balance="?"), row(7, Age="43"), row(10))
    report = import_file(path)
    assert (report.counts, report.rejects.rows, report.rows) == (RowCounts(new=2), 3, 5)
    assert stored("pk", "age") == [(7, 42), (10, 42)]
    rejected = (tmp_path / "a.rejects.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in rejected] == [
        ["row_number", "column", "reason"],
        ["3", "Age", "Age must be a whole number from 18 to 110"],
        ["4", "Balance", "Balance has no value"],
        ["5", "CustomerId", '"CustomerId repeats the customer of an earlier row'],
    ]


def test_rejected_rows_can_be_mended_in_their_file_and_loaded_from_there(tmp_path):
    import_file(write(tmp_path / "a.csv", row(7), row(8, Age="200", Surname="=Marona, and")))
    rejects = tmp_path / "a.rejects.csv"
    rejects.write_text(rejects.read_text().replace("200", "20"))
    report = import_file(rejects)
    assert report.counts == RowCounts(new=1)
    assert report.ignored == ["row_number", "column", "reason", "RowNumber", "EstimatedSalary", "Exited"]
    assert stored("surname", "age") == [("Maronard", 42), ("=Marona, and", 20)]


def test_a_run_without_rejects_takes_the_former_ones_away(tmp_path):
    path = write(tmp_path / "a.csv", row(8, Age="200"))
    import_file(path)
    import_file(write(path, row(8, Age="20")))
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]


def test_a_refused_file_takes_the_former_rejects_away_too(tmp_path):
    path = write(tmp_path / "a.csv", row(8, Age="200"))
    import_file(path)
    write(path, header=["Age"])
    with pytest.raises(RefusedError):
        import_file(path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]


class TestDryRun:
    def test_it_tells_the_same_and_stores_nothing_anywhere(self, tmp_path):
        path = write(tmp_path / "a.csv", row(7), row(8, Age="200"))
        report = import_file(path, dry_run=True)
        assert (report.counts, report.rejects.rows) == (RowCounts(new=1), 1)
        assert not Customer.objects.exists()
        assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]

    def test_it_leaves_the_rejects_of_a_real_run_alone(self, tmp_path):
        path = write(tmp_path / "a.csv", row(8, Age="200"))
        import_file(path)
        import_file(path, dry_run=True)
        assert (tmp_path / "a.rejects.csv").exists()

    def test_it_writes_rejects_where_it_is_told_to(self, tmp_path):
        path = write(tmp_path / "a.csv", row(8, Age="200"))
        import_file(path, dry_run=True, rejects_path=tmp_path / "b.csv")
        assert len((tmp_path / "b.csv").read_text().splitlines()) == 2


class TestRefusedFiles:
    """Whatever stands in the way, however late in the file: nothing is stored and no file is left."""

    @pytest.mark.parametrize(
        ("late", "reason"),
        [
            (["======="], "Row 102 is the mark of an unresolved merge conflict"),
            (HEADER, "Row 102 is a second header"),
        ],
    )
    def test_a_line_that_shows_a_broken_file_refuses_the_rows_before_it_too(self, late, reason, tmp_path):
        path = write(tmp_path / "a.csv", *rows(99), row(100, Age="200"), late, *rows(5, first=200))
        with pytest.raises(RefusedError, match=reason):
            import_file(path)
        assert not Customer.objects.exists()
        assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]

    def test_text_that_stops_being_utf8(self, tmp_path):
        text = text_of([HEADER, *rows(2000), row(5000, Surname="Mülona")])
        with pytest.raises(RefusedError, match="Line 2002 is not UTF-8"):
            import_file(write_text(tmp_path / "a.csv", text, encoding="cp1252"))
        assert not Customer.objects.exists()

    def test_a_header_without_rows(self, tmp_path):
        with pytest.raises(RefusedError, match="has a header and no rows"):
            import_file(write(tmp_path / "a.csv"))

    def test_a_place_for_rejects_that_cannot_be_written_to(self, tmp_path):
        path = write(tmp_path / "a.csv", row(7), row(8, Age="200"))
        with pytest.raises(RefusedError, match="name another with --rejects"):
            import_file(path, rejects_path=tmp_path / "nowhere" / "b.csv")
        assert not Customer.objects.exists()
