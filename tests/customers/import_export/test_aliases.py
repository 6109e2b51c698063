"""Words that files write otherwise than they are stored, and words that the active model does not know."""

import io

import pytest
from django.core.management import CommandError, call_command

from customers.import_export.aliases import AliasError, checked, kept_aliases
from customers.import_export.conventions import Conventions, conventions_of_bank, words_of_active_release
from customers.import_export.csv_files.cells import CellError, check_word
from customers.import_export.customers import import_file
from customers.import_export.training_file import LABELLED, read_labelled
from customers.import_export.unknown_words import close_word
from customers.models import CategoryAlias, Customer, ModelRelease
from tests.customers.import_export.csv_files.texts import row, rows, write

KNOWN = ("France", "Germany", "Côte d'Ivoire", "it")
ALIASES = {"Allemagne": "Germany", "NA": "Namibia", "f": "Femme"}


class TestWords:
    @pytest.mark.parametrize(
        ("cell", "stored"),
        [
            ("Germany", "Germany"),
            (" GERMANY ", "Germany"),
            ("côte  d'ivoire", "Côte d'Ivoire"),
            ("spain", "Spain"),  # of the public table
            ("allemagne", "Germany"),
            ("na", "Namibia"),  # otherwise no value
            ("it", "it"),
            ("Italia", "Italia"),
            ("South \n Africa", "South Africa"),
            ("'=Land", "=Land"),  # as an export writes it
            ("x" * 60, "x" * 60),
        ],
    )
    def test_countries(self, cell, stored):
        assert check_word("geography", KNOWN, ALIASES)(cell) == stored

    @pytest.mark.parametrize(("cell", "stored"), [("F", "Female"), ("m", "Male"), ("female", "Female"), ("X", "X")])
    def test_genders(self, cell, stored):
        assert check_word("gender")(cell) == stored

    def test_a_model_that_knows_the_initials_keeps_them(self):
        assert check_word("gender", ("F", "M"))("f") == "F"

    def test_an_alias_counts_before_what_is_built_in(self):
        assert check_word("gender", (), ALIASES)("F") == "Femme"

    @pytest.mark.parametrize(
        ("cell", "reason"),
        [
            ("", "has no value"),
            ("?", "has no value"),
            ("NaN", "has no value"),
            ("x" * 61, "must be a word of at most 60 characters"),
            ("a\0b", "without control characters"),
        ],
    )
    def test_what_no_word_can_be(self, cell, reason):
        with pytest.raises(CellError, match=reason):
            check_word("geography", KNOWN, ALIASES)(cell)


class TestCloseWords:
    @pytest.mark.parametrize(
        ("word", "meant"),
        [
            ("Deutschland", "Germany"),
            ("DEU", "Germany"),
            ("Germnay", "Germany"),
            ("Cote d'Ivoire", "Côte d'Ivoire"),
            ("España", None),  # the model does not know Spain
            ("Senegal", None),
        ],
    )
    def test_they_are_found_among_those_that_the_model_knows(self, word, meant):
        assert close_word(word, KNOWN) == meant


def alias(written, meant, field="geography"):
    return CategoryAlias.objects.create(field=field, written=written, meant=meant)


def release(**words):
    encodings = {field: {word: code for code, word in enumerate(of)} for field, of in words.items()}
    return ModelRelease.objects.create(sha256="a" * 64, fingerprint="a" * 64, metadata={"encodings": encodings})


@pytest.mark.django_db
class TestTable:
    def test_words_are_kept_without_needless_spaces(self):
        assert checked("geography", " Neu  Land ", "New\tLand ") == ("Neu Land", "New Land")

    @pytest.mark.parametrize(
        ("written", "meant", "said"),
        [
            ("", "Germany", "Enter both words: the word in files and the word to store"),
            ("BRD", " ", "Enter both words: the word in files and the word to store"),
            ("BRD", "x" * 61, "up to 60 characters and no control characters"),
            ("BRD", "BRD", "No alias is needed"),
            ("deutschland", "Spain", "Deutschland is stored as Germany already"),
            ("BRD", "Deutschland", "Deutschland is itself stored as Germany. Use Germany"),
            ("Germany", "Allemagne", "Deutschland is stored as Germany. Change that alias first"),
        ],
    )
    def test_what_can_be_no_alias_is_refused(self, written, meant, said):
        alias("Deutschland", "Germany")
        with pytest.raises(AliasError, match=said):
            checked("geography", written, meant)

    def test_the_fields_have_words_of_their_own(self):
        alias("X", "Unknown country")
        assert checked("gender", "X", "Other") == ("X", "Other")
        assert kept_aliases() == {"geography": {"X": "Unknown country"}, "gender": {}}

    def test_the_words_of_the_active_model_are_known(self):
        assert words_of_active_release() == {}
        release(geography=["Italy", "Senegal"], gender=["F", "M"])
        assert words_of_active_release() == {"geography": ("Italy", "Senegal"), "gender": ("F", "M")}

    def test_a_release_without_codes_knows_the_public_words(self):
        ModelRelease.objects.create(sha256="a" * 64, fingerprint="a" * 64)
        assert words_of_active_release()["geography"] == ("France", "Germany", "Spain")


@pytest.mark.django_db
class TestImport:
    def test_aliases_are_stored_as_what_they_mean(self, tmp_path):
        alias("Deutschland", "Germany")
        import_file(write(tmp_path / "a.csv", row(7, Geography="DEUTSCHLAND")))
        assert Customer.objects.get().geography == "Germany"

    def test_unknown_words_are_stored_and_reported_with_their_rows(self, tmp_path):
        release(geography=["France", "Germany"], gender=["Female", "Male"])
        body = [*rows(2, Geography="Deutschland"), *rows(3, first=3, Geography="Senegal"), row(9, Gender="X"), row(10)]
        report = import_file(write(tmp_path / "a.csv", *body))
        assert report.notes == [
            "Country Senegal: 3 rows; the active model does not know it",
            "Country Deutschland: 2 rows; the active model does not know it. Did you mean Germany? If so, keep an "
            "alias (manage.py category_aliases --add Deutschland=Germany) and import the file again",
            "Gender X: 1 row; the active model does not know it",
        ]
        assert Customer.objects.filter(geography="Deutschland").count() == 2

    def test_not_all_of_very_many_are_listed(self, tmp_path):
        release(geography=["France"], gender=["Female"])
        report = import_file(write(tmp_path / "a.csv", *(row(n, Geography=f"Land {n}") for n in range(1, 14))))
        assert len(report.notes) == 11
        assert report.notes[-1] == "Country: 3 more words that the active model does not know, in 3 rows"

    def test_training_reads_by_the_same_table(self, tmp_path):
        alias("Frankreich", "France")
        path = write(tmp_path / "a.csv", *(row(n, Geography="frankreich", Exited=str(n % 2)) for n in range(1, 11)))
        file = read_labelled(path, columns=conventions_of_bank().of(LABELLED))
        assert {customer[1] for customer in file.data.rows} == {"France"}

    def test_conventions_survive_their_way_through_the_database(self):
        release(geography=["France"], gender=["F"])
        alias("FR", "France")
        conventions = conventions_of_bank({"Saldo": "balance"})
        again = Conventions(**conventions.as_json())
        assert again.as_json() == conventions.as_json()


def run(*options):
    out, errors = io.StringIO(), io.StringIO()
    call_command("category_aliases", *options, stdout=out, stderr=errors)
    return out.getvalue(), errors.getvalue()


@pytest.mark.django_db
class TestCommand:
    def test_aliases_are_added_listed_and_removed(self):
        release(geography=["Germany"], gender=["Female"])
        assert run("--add", "Deutschland=Germany") == (
            "Deutschland is stored as Germany from the next import on.\n",
            "",
        )
        assert run("--field", "gender", "--add", "W=Female")[1] == ""
        assert [line.split() for line in run()[0].splitlines()] == [
            ["field", "in", "files", "stored", "as"],
            ["Gender", "W", "Female"],
            ["Country", "Deutschland", "Germany"],
        ]
        assert run("--remove", "DEUTSCHLAND")[0] == "Deutschland is stored as it is from the next import on.\n"
        assert run("--field", "gender", "--remove", "w")[0]
        assert run() == ("No aliases.\n", "")

    def test_a_word_that_the_model_does_not_know_is_kept_with_a_warning(self):
        release(geography=["France", "Germany"], gender=["Female"])
        assert "does not know Italy; it knows France, Germany." in run("--add", "Italia=Italy")[1]
        assert CategoryAlias.objects.get().meant == "Italy"

    @pytest.mark.parametrize("options", [["--add", "Deutschland"], ["--remove", "BRD"], ["--add", "x=x"]])
    def test_what_cannot_be_changes_nothing(self, options):
        with pytest.raises(CommandError, match=r"Nothing was changed\.$"):
            run("--add", "FR=France", *options)
        assert not CategoryAlias.objects.exists()
