import io

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone

from customers.management.commands.train_model import Command
from customers.management.progress import TerminalProgress
from customers.management.training_report import about_rare_words
from customers.ml_service import load_forest
from customers.ml_service.training import TrainingData
from customers.ml_service.training import search as searching
from customers.ml_service.training.data import learn_encodings
from tests.customers.import_export.csv_files.texts import row, write
from tests.customers.ml_service.forests import write_csv
from tests.factories import make_customer

pytestmark = pytest.mark.django_db  # asked who has objected to profiling


def run(path, tmp_path, **options):
    """What the command says on standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    call_command(Command(stdout=out, stderr=err), str(path), **{"trees": 4, "output": tmp_path / "assets", **options})
    return out.getvalue(), err.getvalue()


@pytest.fixture
def table(tmp_path):
    return write_csv(tmp_path / "churn.csv")


def test_a_trained_model_is_released_into_the_directory(table, tmp_path):
    run(table, tmp_path, seed=3)
    forest = load_forest(tmp_path / "assets" / "model.pkl")
    assert forest.released
    assert forest.n_trees == 4
    assert forest.metadata["training"]["seed"] == 3


def test_the_forest_is_shown_beside_its_baselines(table, tmp_path):
    out, err = run(table, tmp_path)
    lines = out.splitlines()
    head = next(number for number, line in enumerate(lines) if "logistic regression" in line)
    assert lines[head].split() == ["figure", "forest", "logistic", "regression", "constant", "better", "is"]
    assert lines[head + 1].startswith("  ROC AUC")
    assert lines[head + 1].count("±") == 3
    assert "0.500 ± 0.000" in lines[head + 1]
    assert [line.split()[-1] for line in lines[head + 1 : head + 8]] == [
        "higher", "higher", "lower", "lower", "lower", "higher", "higher"
    ]  # fmt: skip
    assert all(len(line) <= 120 for line in lines[:-3])  # the last ones name the folder
    assert err == ""


def test_customers_who_have_objected_are_left_out_by_the_database_and_counted(table, tmp_path):
    table.write_text(table.read_text().replace("RowNumber", "CustomerId"))
    before, _ = run(table, tmp_path)
    number = int(before.partition(" customers,")[0].replace(",", ""))
    make_customer(customer_id=7, objected_at=timezone.now())
    out, err = run(table, tmp_path)
    assert out.startswith(f"{number - 1:,} customers,")
    assert "1 customer left out: they have objected to profiling" in out
    assert err == ""


def test_without_a_database_the_file_alone_says_who_objects_and_a_warning_that(table, tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "ensure_connection", raise_away)
    out, err = run(table, tmp_path)
    assert "the database does not answer" in err
    assert "left out" not in out


def raise_away():
    raise OperationalError("connection refused")


def test_columns_that_are_not_trained_on_are_listed_with_what_each_alone_would_tell(table, tmp_path):
    out, _ = run(table, tmp_path)
    [line] = [line for line in out.splitlines() if line.startswith("  RowNumber")]
    assert line.endswith("an id")


def test_rare_words_that_share_a_code_are_named(table, tmp_path):
    lines = table.read_text().splitlines()
    for number, country in enumerate([*["Malta"] * 12, *["Cyprus"] * 8, *["Italy"] * 11], start=1):
        cells = lines[number].split(",")
        lines[number] = ",".join([*cells[:2], country, *cells[3:]])
    table.write_text("\n".join(lines))
    out, _ = run(table, tmp_path)
    assert "\nRare countries share one code: Malta (12 customers), Italy (11), Cyprus (8).\n" in out
    assert "Rare genders" not in out


def about_words(**customers):
    """What is printed of the countries of so many customers."""
    words = [word for word, count in customers.items() for _ in range(count)]
    rows = [(600, word, "Male", 40, 3, 0, 1, True, True) for word in words]
    data = TrainingData(rows, np.arange(len(rows)) % 2)
    return list(about_rare_words(data, learn_encodings(data)))


def test_rare_words_that_go_with_a_frequent_one_are_named_with_it():
    assert about_words(France=40, Malta=1) == ["Rare countries share the code of France: Malta (1 customer)."]


def test_words_with_a_code_of_their_own_are_not_named():
    assert about_words(France=40, Malta=30) == about_words(Malta=7) == []


def test_of_many_rare_words_the_first_are_named():
    [line] = about_words(**{f"Land{number:02}": 20 for number in range(1, 13)})
    assert line.startswith("Rare countries share one code: Land01 (20 customers), Land02 (20), ")
    assert line.endswith(", Land10 (20) and 2 more.")


def test_a_near_copy_of_the_label_is_warned_of(tmp_path):
    customers = [
        row(n, Exited=str(n % 2), EstimatedSalary=str(n % 2), Age=str(30 + 9 * (n % 2) + n % 20)) for n in range(1, 101)
    ]
    out, err = run(write(tmp_path / "a.csv", *customers), tmp_path)
    assert "EstimatedSalary  1.000  nearly copies the label" in out
    assert err == "Warning: EstimatedSalary nearly copies the label (ROC AUC 1.000). It is not trained on.\n"


def test_a_feature_that_gives_the_label_away_is_warned_of(tmp_path):
    customers = [row(n, Exited=str(n % 2), Tenure=str(5 + 3 * (n % 2) + n % 3)) for n in range(1, 101)]
    _, err = run(write(tmp_path / "a.csv", *customers), tmp_path)
    assert err.startswith("Warning: tenure alone shows who left (ROC AUC 1.000) and is used for training.")


def test_the_number_format_of_a_column_is_told_and_asked_for(tmp_path):
    customers = [row(n, Exited=str(n % 2), Balance=f"{n % 7 + 1}.{n:03}") for n in range(1, 21)]
    path = write(tmp_path / "a.csv", *customers, row(21, Age="200", Balance="0"))
    with pytest.raises(CommandError, match=r"Balance is ambiguous: 2\.001 \(line 2\).* Nothing was trained\.$"):
        run(write(tmp_path / "b.csv", *customers), tmp_path)
    out = io.StringIO()
    with pytest.raises(CommandError, match="train without --strict"):
        call_command(Command(stdout=out), str(path), "--strict", "--decimal=comma")
    assert "Balance: decimal comma, thousands by point" in out.getvalue().splitlines()


class TestRejectedRows:
    @pytest.fixture
    def dirty(self, table):
        with table.open("a") as file:
            file.write("300,600,France,Male,200,3,1.5,1,1,0,1\n301,600,France,Male,,3,1.5,1,1,0,1\n")
        return table

    def test_they_are_counted_told_and_left_out(self, dirty, tmp_path):
        out, _ = run(dirty, tmp_path)
        assert "300 customers" in out
        assert "2 rows rejected" in out
        assert "1 row rejected, row 302: Age must be a whole number from 18 to 110" in out
        assert "1 row rejected, row 303: Age has no value" in out

    def test_strictly_nothing_is_trained(self, dirty, tmp_path):
        with pytest.raises(CommandError, match=r"^Rejected rows: 2\. Correct them, or train without --strict\.$"):
            run(dirty, tmp_path, strict=True)
        assert not (tmp_path / "assets").exists()


@pytest.mark.slow
def test_what_a_search_found_is_told(table, tmp_path, monkeypatch):
    monkeypatch.setattr(searching, "GRID", {"max_leaf_nodes": (4, 8)})
    out, _ = run(table, tmp_path, search=True, trees=3)
    assert "Searched 2 forests: best ROC AUC 0." in out
    assert "Chosen: the smallest forest within 0.001 of the best: 0." in out


def test_a_file_that_cannot_be_trained_on_is_told_in_a_sentence(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(CommandError, match=r"lacks the columns CreditScore, .*Exited\. .*Nothing was trained\.$"):
        run(path, tmp_path)


def test_a_feature_that_is_the_label_is_refused(tmp_path):
    customers = [row(n, Exited=str(n % 2), HasCrCard=str(n % 2)) for n in range(1, 101)]
    with pytest.raises(CommandError, match=r"has_cr_card is the label itself .*Nothing was trained\.$"):
        run(write(tmp_path / "a.csv", *customers), tmp_path)


def test_what_tells_nothing_of_who_left_is_refused(tmp_path):
    # Whatever the age, one left and one stayed.
    customers = [row(n, Exited=str(n % 2), Age=str(20 + n // 2 % 50)) for n in range(1, 101)]
    with pytest.raises(CommandError, match=r"do not show who left: the ROC AUC of 0\.[0-4].*Nothing was trained\.$"):
        run(write(tmp_path / "a.csv", *customers), tmp_path)
    assert not (tmp_path / "assets").exists()


def test_an_interruption_leaves_nothing_behind(table, tmp_path, monkeypatch):
    def interrupt(*step):
        raise KeyboardInterrupt

    monkeypatch.setattr(TerminalProgress, "bar", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(table, tmp_path)
    assert not (tmp_path / "assets").exists()
