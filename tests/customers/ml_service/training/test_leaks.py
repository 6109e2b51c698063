from dataclasses import replace

import numpy as np
import pytest

from customers.ml_service import FEATURES
from customers.ml_service.training import TrainingDataError
from customers.ml_service.training.leaks import features_alone, is_id, others_alone, refuse_copies, roc_auc_alone

from .labelled import labelled

LABELS = labelled().labels
RNG = np.random.default_rng(2)


def with_feature(name, values):
    """Customers whose column for a feature holds something else."""
    data, place = labelled(), FEATURES.index(name)
    rows = [(*row[:place], value, *row[place + 1 :]) for row, value in zip(data.rows, values, strict=True)]
    return replace(data, rows=rows)


class TestOneColumnAlone:
    @pytest.mark.parametrize(
        "cells",
        [
            [str(label) for label in LABELS],
            [str(1 - label) for label in LABELS],
            ["churned" if label else "staying" for label in LABELS],
            [f"2025-03-{day % 28 + 1:02}" if label else "" for day, label in enumerate(LABELS)],
            [f"{label + RNG.normal(0, 0.1):.3f}" for label in LABELS],
            ["3" if label else str(RNG.choice([1, 5])) for label in LABELS],
            [f"{label + RNG.normal(0, 0.1):.3f}" if RNG.random() > 0.1 else "" for label in LABELS],
        ],
        ids=["copy", "opposite", "words", "date of leaving", "noisy", "not monotone", "with blanks"],
    )
    def test_a_near_copy_of_the_label_in_any_dress_is_found(self, cells):
        [column] = others_alone(labelled(Complain=cells))
        assert column.name == "Complain"
        assert column.leaks
        assert column.roc_auc > 0.95

    @pytest.mark.parametrize(
        "cells",
        [
            [str(n) for n in range(300)],
            [f"name {n}" for n in range(300)],
            [str(RNG.choice(["a", "b", "c"])) for _ in range(300)],
            [f"{RNG.random():.6f}" for _ in range(300)],
            [""] * 300,
            [str(LABELS[n]) if n % 60 == 0 else "" for n in range(300)],
        ],
        ids=["number", "name", "words", "measurement", "blank", "a handful of copies"],
    )
    def test_what_tells_nothing_stays_near_one_half(self, cells):
        [column] = others_alone(labelled(Anything=cells))
        assert not column.leaks
        assert column.roc_auc < 0.62

    def test_an_honest_feature_tells_something_and_no_more(self):
        alone = {column.name: column for column in features_alone(labelled())}
        assert list(alone) == list(FEATURES)
        assert 0.6 < alone["age"].roc_auc < 0.9
        assert not any(column.leaks for column in alone.values())

    def test_a_feature_that_was_written_down_afterwards_is_found(self):
        active = np.where(RNG.random(300) < 0.01, LABELS, 1 - LABELS)
        alone = {column.name: column for column in features_alone(with_feature("is_active_member", active.tolist()))}
        assert [name for name, column in alone.items() if column.leaks] == ["is_active_member"]

    def test_numbers_count_by_their_order_and_either_way_round(self):
        assert roc_auc_alone([4.0, 3.0, 2.0, 1.0] * 5, np.array([0, 0, 1, 1] * 5)) == 1.0


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["3", "1", "2"], True),
        (["c-3", "c-1", "c-2"], True),
        (["3", "1", "1"], False),
        (["3", "1", ""], False),
        (["3.5", "1.25", "2.0"], False),
        (["3", "c-1", "2"], True),
    ],
)
def test_an_id_is_another_whole_number_or_name_in_every_row(cells, expected):
    assert is_id(cells) is expected


class TestRefusals:
    def test_customers_as_they_should_be_are_taken(self):
        refuse_copies(labelled(RowNumber=[str(n) for n in range(300)]))

    @pytest.mark.parametrize("values", [LABELS.tolist(), (1 - LABELS).tolist()])
    def test_a_feature_that_is_the_label_itself(self, values):
        with pytest.raises(TrainingDataError, match="column for has_cr_card is the label itself"):
            refuse_copies(with_feature("has_cr_card", values))

    def test_a_feature_whose_words_are_the_label(self):
        with pytest.raises(TrainingDataError, match="column for gender is the label itself"):
            refuse_copies(with_feature("gender", np.where(LABELS == 1, "Female", "Male").tolist()))

    def test_a_feature_that_is_the_customers_number(self):
        data = replace(with_feature("balance", range(300)), others=[("CustomerId", [str(n) for n in range(300)])])
        with pytest.raises(TrainingDataError, match="column for balance is the number CustomerId in every row"):
            refuse_copies(data)
