"""How a model serves groups of customers: as cross-validation found it, in the card, and as later checks find it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from customers.ml_service.fairness import GroupFigures, Groups, in_order
from customers.ml_service.intervals import Rate, rate_of
from customers.ml_service.messages import FIELD_NAMES, NO_BREAK, format_percent
from customers.ml_service.performance import FEWEST
from customers.ml_service.schema import WORD_FIELDS

from .blocks import Block, Table
from .told import mapping, number, numbers, sequence
from .words import DECIMAL, PERCENT, UNKNOWN, by_group, format_figure, value_of

TOO_FEW = "too few to tell"

EXPLANATION = (
    "Selected are customers whose score is at least the threshold. Of those who left, the selected are the true "
    "positive rate; of those who stayed, the false positive rate (Hardt, Price and Srebro 2016). In brackets: 95 % "
    "intervals (Wilson 1927). Groups whose churn rates differ cannot be equal in all these rates and in calibration "
    "(Chouldechova 2017), so no figure alone shows that a model is fair."
)

Named = tuple[str, GroupFigures]


def subgroups(diagnostics: Mapping[str, Any]) -> Iterator[Block]:
    """The groups of customers in a model's metadata."""
    groups = [(group, mapping(figures)) for group, figures in by_group(diagnostics.get("subgroups"))]
    if not groups:
        yield "Whether it serves countries, genders and ages equally well was not measured."
        return
    yield (
        "Each customer is scored by a forest that was not trained on that customer. Where the mean score of a group is "
        "near the share that left, its scores can be taken as probabilities: the result says whether the mean score "
        "lies in the 95 % interval of that share. Not known: too few customers, or too few who left or stayed, to "
        "measure."
    )
    read = [(group, read_figures(figures)) for group, figures in groups]
    yield Table(
        ("group", "customers", "left", "mean score", "result", "ROC AUC", "Brier score"),
        [
            (
                group,
                format_figure(figures.get("customers")),
                format_figure(figures.get("churn_rate"), PERCENT)
                if found.share_left is None
                else format_rate(found.share_left),
                format_figure(figures.get("mean_score"), PERCENT),
                found.result,
                *(format_figure(figures.get(name), DECIMAL) for name in ("roc_auc", "brier")),
            )
            for (group, figures), (_, found) in zip(groups, read, strict=True)
        ],
    )
    thresholds = numbers(diagnostics.get("thresholds"))
    if not thresholds or not any(found.selected for _, found in read):
        yield "How many of each group are selected, and how many wrongly, was not measured."
        return
    yield EXPLANATION
    yield from rate_tables(read, thresholds)


def read_figures(stored: Mapping[str, Any]) -> GroupFigures:
    """What metadata, which may say anything, has of a group."""

    def rates(name: str) -> tuple[Rate | None, ...]:
        return tuple(map(read_rate, sequence(stored.get(name))))

    customers, churn_rate = int(number(stored.get("customers")) or 0), number(stored.get("churn_rate"))
    is_known = churn_rate is not None and 0 <= churn_rate <= 1 and customers >= FEWEST
    return GroupFigures(
        customers,
        number(stored.get("mean_score")),
        share_left=rate_of(round(churn_rate * customers), customers) if churn_rate is not None and is_known else None,
        selected=rates("selected"),
        true_positive=rates("true_positive"),
        false_positive=rates("false_positive"),
    )


def read_rate(stored: object) -> Rate | None:
    bounds = numbers(stored)
    return Rate(*bounds) if len(bounds) == 3 else None


def named(groups: Groups) -> list[Named]:
    """Groups as staff call them: "Spain", "age 18-29", "active member no"."""
    return [
        (group if field in WORD_FIELDS else f"{FIELD_NAMES[field]} {value_of(field, group)}", figures)
        for field, group, figures in in_order(groups)
    ]


def calibration_table(groups: Iterable[Named]) -> Table:
    """Mean score beside the share that left, and what follows."""
    return Table(
        ("group", "customers", "left", "mean score", "result"),
        [
            (
                group,
                f"{found.customers:,}",
                format_rate(found.share_left),
                TOO_FEW if found.mean_score is None else format_percent(found.mean_score),
                found.result,
            )
            for group, found in groups
        ],
    )


def selection_table(groups: Iterable[Named], thresholds: Sequence[float]) -> Table:
    """Which share of each group is selected, where it is not known yet who leaves."""
    return Table(
        ("group", "customers", "mean score", *map(from_threshold, thresholds)),
        [
            (
                group,
                f"{found.customers:,}",
                TOO_FEW if found.mean_score is None else format_percent(found.mean_score),
                *map(format_rate, found.selected),
            )
            for group, found in groups
        ],
    )


def rate_tables(groups: Sequence[Named], thresholds: Sequence[float]) -> Iterator[Table]:
    """A table for each threshold: who is selected, of all, of those who left and of those who stayed."""
    for place, threshold in enumerate(thresholds):
        yield Table(
            (from_threshold(threshold), "selected", "of those who left", "of those who stayed"),
            [
                (
                    group,
                    *(rate_at(rates, place) for rates in (found.selected, found.true_positive, found.false_positive)),
                )
                for group, found in groups
            ],
        )


def from_threshold(threshold: float) -> str:
    return f"score of {format_percent(threshold)} or more"


def rate_at(rates: Sequence[Rate | None], place: int) -> str:
    return format_rate(rates[place]) if place < len(rates) else UNKNOWN


def format_rate(rate: Rate | None) -> str:
    """``23.4 % (21.0 to 25.9)``: a share with its interval."""
    if rate is None:
        return TOO_FEW
    return f"{format_percent(rate.share)} ({100 * rate.low:.1f}{NO_BREAK}to{NO_BREAK}{100 * rate.high:.1f})"
