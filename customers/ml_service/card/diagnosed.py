"""The sections of the card that show what training measured: see training/diagnostics.py for how."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from customers.ml_service.messages import FIELD_NAMES
from customers.ml_service.schema import FEATURES, WORD_FIELDS

from .blocks import Block, Gallery, Picture, Table
from .charts import Axis, Bar, bar_chart, line_chart
from .told import mapping, number, numbers, sequence, text
from .words import DECIMAL, FLAGS, PERCENT, WHOLE_PERCENT, format_figure, value_of

_as_percent = partial(format_figure, form=WHOLE_PERCENT)


def calibration(diagnostics: Mapping[str, Any]) -> Iterator[Block]:
    entries = [mapping(entry) for entry in sequence(diagnostics.get("calibration"))]
    figures = (numbers([entry.get(name) for name in ("mean_score", "observed", "customers")]) for entry in entries)
    bins = [known for known in figures if known]
    if not bins:
        yield "Whether a score of 30 % means that 30 % leave was not measured."
        return
    yield (
        "Customers whom the forest had not seen, in groups of equal size from low to high scores: their mean score "
        "beside the share of them that left. On the dashed line the two are the same."
    )
    top = _ceiling([max(mean, observed) for mean, observed, _ in bins])
    chart = line_chart(
        "Share that left",
        [(mean, observed) for mean, observed, _ in bins],
        x=Axis("mean score", 0.0, top, _as_percent),
        y=Axis("share that left", 0.0, top, _as_percent),
        diagonal=True,
    )
    yield Gallery([Picture("calibration", "Share of customers that left, by mean score", chart)])
    yield Table(
        ("mean score", "left", "customers"),
        [
            (format_figure(mean, PERCENT), format_figure(observed, PERCENT), format_figure(customers))
            for mean, observed, customers in bins
        ],
    )


def importances(diagnostics: Mapping[str, Any]) -> Iterator[Block]:
    measured = mapping(diagnostics.get("importances"))
    bars = [bar for bar in (_importance(name, mapping(measured.get("features"))) for name in FEATURES) if bar]
    if not bars:
        yield "How much each field matters was not measured."
        return
    yield (
        f"{text(measured.get('method')) or 'ROC AUC lost without a field'} (permutation importance, Breiman 2001). "
        "Fields that tell the same share their importance; near zero means that the model barely uses it."
    )
    bars.sort(key=lambda bar: -bar.value)
    axis = Axis(
        "ROC AUC lost", 0.0, max(0.0, *(bar.value + bar.spread for bar in bars)), partial(format_figure, form=DECIMAL)
    )
    chart = bar_chart("ROC AUC lost", bars, axis=axis)
    yield Gallery([Picture("importances", "ROC AUC lost when a field is shuffled", chart)])


def _importance(name: str, features: Mapping[str, Any]) -> Bar | None:
    figure = mapping(features.get(name))
    mean, spread = number(figure.get("mean")), number(figure.get("std"))
    return None if mean is None else Bar(FIELD_NAMES[name], mean, spread or 0.0)


Shape = list[tuple[Any, float]]


def effects(diagnostics: Mapping[str, Any]) -> Iterator[Block]:
    measured = mapping(diagnostics.get("effects"))
    shapes = {name: shape for name in FEATURES if (shape := _shape(mapping(measured.get(name))))}
    if not shapes:
        yield "How the score moves with each field was not measured."
        return
    yield (
        "The mean score if every customer had this value and kept all others (partial dependence, Friedman 2001), on "
        "one scale for all fields. It shows what the forest has learned, not what a change would cause."
    )
    axis = Axis("mean score", 0.0, _ceiling([score for shape in shapes.values() for _, score in shape]), _as_percent)
    yield Gallery(
        [
            Picture(f"effect-{name}", f"Mean score by {FIELD_NAMES[name]}", _effect_chart(name, shape, axis))
            for name, shape in shapes.items()
        ]
    )


def _shape(effect: Mapping[str, Any]) -> Shape:
    """Values with their mean scores; nothing when the two lists do not fit together."""
    values, scores = sequence(effect.get("values")), numbers(effect.get("scores"))
    return list(zip(values, scores, strict=True)) if len(values) == len(scores) else []


def _effect_chart(name: str, shape: Shape, axis: Axis) -> str:
    title = FIELD_NAMES[name].capitalize()
    places = numbers([value for value, _ in shape])
    if name in WORD_FIELDS or name in FLAGS or not places:
        return bar_chart(title, [Bar(value_of(name, text(value)), score) for value, score in shape], axis=axis)
    points = list(zip(places, (score for _, score in shape), strict=True))
    return line_chart(title, points, x=Axis(FIELD_NAMES[name], min(places), max(places), _format_tick), y=axis)


def protected(diagnostics: Mapping[str, Any]) -> Iterator[Block]:
    measured = mapping(diagnostics.get("without"))
    fields = {name: mapping(mapping(measured.get("fields")).get(name)) for name in FEATURES}
    known = {name: figures for name, figures in fields.items() if number(figures.get("roc_auc")) is not None}
    if not known:
        yield "What it would cost to do without a field is missing: it was not measured."
        return
    yield (
        "Reasons never name the fields that the bank protects (VIGILPAY_PROTECTED_FIELDS); the score still rests on "
        "them. What a model without one of them would lose: "
        f"{text(measured.get('method')) or 'how this was measured is not known'}; mean ± standard deviation."
    )
    yield Table(
        ("field left out", "ROC AUC", "ROC AUC lost"),
        [
            ("none", format_figure(measured.get("roc_auc"), DECIMAL), ""),
            *(
                (FIELD_NAMES[name], format_figure(figures.get("roc_auc"), DECIMAL), _format_lost(figures))
                for name, figures in known.items()
            ),
        ],
    )


def _format_lost(figures: Mapping[str, Any]) -> str:
    return f"{format_figure(figures.get('lost'), DECIMAL)} ± {format_figure(figures.get('std'), DECIMAL)}"


def _ceiling(shares: Sequence[float]) -> float:
    """The next tenth that is not below any of them."""
    return max(math.ceil(10 * max(shares)) / 10, 0.1)


def _format_tick(value: float) -> str:
    """A number for an axis: 150k for 150,000."""
    return f"{value / 1000:g}k" if abs(value) >= 10_000 else f"{value:g}"
