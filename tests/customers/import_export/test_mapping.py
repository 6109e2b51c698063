"""Columns under names of the bank's own, said once or kept under a name."""

import io

import pytest
from django.core.management import CommandError, call_command

from customers.import_export.conventions import Conventions
from customers.import_export.csv_files.columns import CUSTOMERS, read_layout
from customers.import_export.csv_files.refused import RefusedError
from customers.import_export.customers import import_file
from customers.import_export.mapping import combined, keep_mapping, kept_mapping, lines_of, parse, with_mapping
from customers.import_export.outcomes import import_outcomes
from customers.import_export.staging import RowCounts
from customers.import_export.training_file import LABELLED, read_labelled
from customers.models import ColumnMapping, Customer, Outcome
from tests.customers.import_export.csv_files.texts import HEADER, renamed, row, rows, text_of, write_text

GERMAN = {"Balance": "Kontostand", "Age": "Alter", "CustomerId": "Kundennr.", "Exited": "Weg"}
MAPPING = {"Kontostand": "balance", "Alter": "age", "Kundennr.": "customer_id", "Weg": "exited"}


def german(tmp_path, *body):
    return write_text(tmp_path / "german.csv", text_of(renamed([HEADER, *body], **GERMAN)))


class TestParsing:
    def test_fields_are_known_by_any_of_their_names(self):
        assert parse(["Saldo = Balance", " Land=country", "Nr=external id", "a=b=age", ""]) == {
            "Saldo": "balance",
            "Land": "geography",
            "Nr": "external_id",
            "a=b": "age",
        }

    @pytest.mark.parametrize(
        ("entries", "said"),
        [
            (["Kontostand"], r"^Kontostand is not a valid mapping\. Write column name=field, for example "),
            (["=balance"], "is not a valid mapping"),
            (["%=balance"], "is not a valid mapping"),
            (
                ["Saldo=balanc"],
                r"^balanc is not a known field\. Did you mean balance\? Valid fields: customer_id, ",
            ),
            (["Saldo=zzz"], r"^zzz is not a known field\. Valid fields: "),
            (["Saldo="], r"^Saldo= is not a valid mapping\."),
            (["Saldo=balance", "SALDO=age"], r"^The column SALDO is mapped twice"),
            (["Saldo=balance", "Kontostand=Balance"], r"^The columns Saldo and Kontostand are both mapped to balance"),
        ],
    )
    def test_what_is_wrong_is_named(self, entries, said):
        with pytest.raises(RefusedError, match=said):
            parse(entries)

    def test_what_is_said_now_counts_more_than_what_was_kept(self):
        kept = {"Saldo": "balance", "Alter": "age", "Land": "geography"}
        assert combined(kept, {"Konto": "balance", "ALTER": "tenure"}) == {
            "Land": "geography",
            "Konto": "balance",
            "ALTER": "tenure",
        }


class TestHeader:
    def test_a_mapped_column_counts_alone_for_its_field(self):
        """Also where another column has one of the names that are known anyway."""
        layout = read_layout(",".join([*HEADER, "Saldo"]), with_mapping(CUSTOMERS, {"Saldo": "balance"}))
        assert layout.spelled("balance") == "Saldo"
        assert layout.ignored == ["RowNumber", "Balance", "EstimatedSalary", "Exited"]

    def test_a_name_that_is_known_may_be_mapped_to_another_field(self):
        names = ["Alter" if name == "Age" else name for name in HEADER if name != "Tenure"]
        columns = with_mapping(CUSTOMERS, {"Alter": "age", "RowNumber": "tenure"})
        assert read_layout(",".join(names), columns).spelled("tenure") == "RowNumber"

    def test_the_delimiter_is_found_by_mapped_names_too(self):
        names = [f"Spalte {i}" for i in range(10)]
        mapping = dict(zip(names, ("customer_id", *CUSTOMERS.required[1:]), strict=True))
        assert read_layout(";".join(names), with_mapping(CUSTOMERS, mapping)).delimiter == ";"

    def test_a_column_that_the_file_lacks_is_named(self):
        with pytest.raises(RefusedError, match=r"^The file has no column Saldo, which is mapped to balance\. Its"):
            read_layout(",".join(HEADER), with_mapping(CUSTOMERS, {"Saldo": "balance"}))

    def test_columns_of_other_kinds_of_files_do_not_count(self):
        assert read_layout(",".join(HEADER), with_mapping(CUSTOMERS, {"Weg": "exited", "Tag": "date"}))

    def test_a_missing_column_leads_to_the_mapping(self):
        with pytest.raises(RefusedError, match=r"lacks the column Age\. .* a mapping such as Kontostand=balance"):
            read_layout(",".join(name for name in HEADER if name != "Age"))


@pytest.mark.django_db
class TestFiles:
    def test_customers(self, tmp_path):
        report = import_file(german(tmp_path, row(7, Balance="1.234,50")), mapping=MAPPING)
        assert report.counts == RowCounts(new=1)
        assert report.formats == ["Kontostand: decimal comma, thousands by point"]
        assert str(Customer.objects.get(pk=7).balance) == "1234.50"

    def test_rejected_rows_name_the_column_as_the_file_does(self, tmp_path):
        report = import_file(german(tmp_path, row(7, Age="200")), mapping=MAPPING)
        assert report.rejects.summary() == ["1 row rejected, row 2: Alter must be a whole number from 18 to 110"]

    def test_customers_to_train_on(self, tmp_path):
        path = german(tmp_path, *(row(n, Exited=str(n % 2)) for n in range(1, 11)))
        file = read_labelled(path, columns=Conventions(MAPPING).of(LABELLED))
        assert file.data.labels.tolist() == [1, 0] * 5

    def test_outcomes(self, tmp_path):
        path = write_text(tmp_path / "a.csv", "Kundennr.,Tag,Weg\n7,2026-03-31,yes\n")
        import_outcomes(path, mapping={**MAPPING, "Tag": "date"} | {"Nachname": "surname"})
        assert Outcome.objects.get().pk == 7


def run(command, path, *options):
    out = io.StringIO()
    call_command(command, str(path), *options, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
class TestKept:
    def test_a_mapping_is_kept_and_used_again(self, tmp_path):
        path = german(tmp_path, row(7))
        options = [option for entry in lines_of(MAPPING).splitlines() for option in ("--map", entry)]
        said = run("import_customers", path, *options, "--save-mapping", "core banking")
        assert "Kept the mapping core banking" in said
        assert kept_mapping("core banking") == MAPPING
        assert "0 new, 0 changed, 1 unchanged" in run("import_customers", path, "--mapping", "core banking")

    def test_part_of_it_may_be_said_anew_and_kept_in_its_place(self, tmp_path):
        keep_mapping("core", {**MAPPING, "Kontostand": "tenure"} | {"Jahre": "balance"})
        path = german(tmp_path, row(7))
        run("import_customers", path, "--mapping", "core", "--map", "Kontostand=balance", "--save-mapping", "core")
        assert kept_mapping("core") == MAPPING
        assert ColumnMapping.objects.count() == 1

    def test_a_refused_file_and_a_dry_run_keep_none(self, tmp_path):
        with pytest.raises(CommandError, match=r"Nothing was stored\.$"):
            run("import_customers", german(tmp_path, row(7)), "--map", "Konto=balance", "--save-mapping", "core")
        path = write_text(tmp_path / "a.csv", text_of([HEADER, *rows(1)]))
        run("import_customers", path, "--map", "RowNumber=tenure", "--save-mapping", "core", "--dry-run")
        assert not ColumnMapping.objects.exists()

    def test_one_that_is_not_there_is_answered_with_those_that_are(self, tmp_path):
        with pytest.raises(
            CommandError, match=r"^There is no mapping core\. No mapping has been saved\. Nothing was stored\.$"
        ):
            run("import_customers", german(tmp_path, row(7)), "--mapping", "core")
        keep_mapping("cards", MAPPING)
        with pytest.raises(CommandError, match=r"Saved mappings: cards\."):
            run("import_outcomes", german(tmp_path, row(7)), "--mapping", "core")

    def test_training_is_refused_in_the_same_words(self, tmp_path):
        with pytest.raises(CommandError, match=r"^blance is not a known field\. .* Nothing was trained\.$"):
            run(
                "train_model", german(tmp_path, row(7)), "--map", "Kontostand=blance", "--output", str(tmp_path / "out")
            )

    def test_there_must_be_something_to_keep(self, tmp_path):
        with pytest.raises(CommandError, match="There is no mapping to keep"):
            run("import_customers", german(tmp_path, row(7)), "--save-mapping", "core")
