"""One table of names: what an import calls a column, a training file and a model may call it, too."""

import numpy as np
import pandas as pd
import pytest

from customers.import_export.csv_files.columns import CUSTOMERS, read_layout
from customers.import_export.training_file import LABELLED, read_labelled
from customers.ml_service.files.golden import generate_rows
from customers.ml_service.files.packaging import verify
from customers.ml_service.names import BANKS_NAMES, field_called, plain, plain_names, spellings
from customers.ml_service.schema import FEATURES, LABEL

from .forests import as_numbers, dump, left, unfitted

# As tables of bank customers on the net spell their columns.
TABLES = {
    "ours": FEATURES,
    "the bank's": [BANKS_NAMES[field] for field in FEATURES],
    "second public table": (
        "credit_score", "country", "gender", "age", "tenure", "balance", "products_number", "credit_card",
        "active_member",
    ),
    "with spaces": (
        "Credit Score", "Geography", "Gender", "Age", "Tenure", "Balance", "Num Of Products", "Has Cr Card",
        "Is Active Member",
    ),
    "shouted": (
        "CREDITSCORE", "COUNTRY", "SEX", "AGE", "TENURE", "ACCOUNT-BALANCE", "NUMBER OF PRODUCTS", "HAS CREDIT CARD",
        "IS_ACTIVE",
    ),
}  # fmt: skip
LABELS = ("Exited", " exited ", "churn", "Churned", "customer_churned", "Churn Flag", "has_left", "Attrition_Flag")


@pytest.mark.parametrize("table", TABLES)
def test_a_file_is_imported_learned_from_and_its_model_released_under_the_same_names(table, tmp_path):
    names = list(TABLES[table])
    order = np.random.default_rng(1).permutation(9)
    rows = generate_rows(120)
    layout = read_layout(",".join(["customer_id", *(names[index] for index in order)]), CUSTOMERS)
    assert [layout.spelled(field) for field in FEATURES] == names
    lines = [
        ",".join([*names, "Exited"]),
        *(",".join(map(str, [*row, it])) for row, it in zip(rows, left(rows), strict=True)),
    ]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert read_labelled(tmp_path / "a.csv").data.rows == [tuple(row) for row in rows]
    frame = pd.DataFrame(as_numbers(rows)[:, order], columns=[names[index] for index in order])
    model = unfitted(3).fit(frame, left(rows))
    scores = verify(dump(model, tmp_path)).forest.predict_tuples(rows)
    np.testing.assert_allclose(scores, model.predict_proba(frame)[:, 1], atol=1e-12)


@pytest.mark.parametrize("label", LABELS)
def test_the_label_has_many_names(label):
    assert read_layout(",".join([*FEATURES, label]), LABELLED).spelled(LABEL) == label.strip()


def test_no_name_means_two_fields():
    everything = [plain(name) for field in BANKS_NAMES for name in set(map(plain, spellings(field)))]
    assert len(everything) == len(set(everything))
    assert set(plain_names({field: spellings(field) for field in BANKS_NAMES}).values()) == set(BANKS_NAMES)


@pytest.mark.parametrize("name", ["EstimatedSalary", "Complain", "id", "RowNumber", "Geography_Germany", "target", ""])
def test_what_says_something_else_keeps_its_name(name):
    assert field_called(name) == name
