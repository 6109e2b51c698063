"""What the model card says, read from a release's metadata; how it looks is up to those who render it.

Every section copes with a foreign model.pkl that came without metadata, and says then what is not known.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from customers.ml_service.messages import FIELD_NAMES
from customers.ml_service.schema import WORD_FIELDS

from .blocks import Block, Section, Table
from .diagnosed import calibration, effects, importances, protected
from .groups import subgroups
from .told import mapping, number, numbers, text
from .words import DECIMAL, FLAGS, PERCENT, UNKNOWN, by_group, format_figure, spaced

_USE = (
    "To rank the customers of a retail bank by their risk of leaving, so that staff can contact them. Not for "
    "decisions on credit, prices or the closing of accounts."
)


def sections(metadata: Mapping[str, Any]) -> list[Section]:
    """Return the card of a release from the content of its model.json, or from what a ModelRelease keeps of it."""
    diagnostics = mapping(metadata.get("diagnostics"))
    return [
        Section("Data", [*_data(metadata)]),
        Section("Quality", [*_quality(metadata)]),
        Section("Calibration", [*calibration(diagnostics)]),
        Section("What the scores rest on", [*importances(diagnostics)]),
        Section("How each field moves the score", [*effects(diagnostics)]),
        Section("Groups of customers", [*subgroups(diagnostics)]),
        Section("Protected fields", [*protected(diagnostics)]),
        Section("Intended use", [_USE]),
        Section("Limits", [*_limits(mapping(diagnostics.get("limits")))]),
    ]


def _data(metadata: Mapping[str, Any]) -> Iterator[Block]:
    training = mapping(metadata.get("training"))
    if not training:
        yield "It is not recorded what this forest was trained on."
    facts = [
        ("customers", format_figure(training.get("rows"))),
        ("of whom had left", format_figure(training.get("churn_rate"), PERCENT)),
        ("trained at", text(training.get("trained_at"))),
        ("settings", _settings(training)),
        ("scikit-learn", text(metadata.get("sklearn_version"))),
        ("trees", format_figure(metadata.get("n_trees"))),
        ("label codes", _codes(mapping(metadata.get("encodings"))) or f"{UNKNOWN}, taken as alphabetical"),
        ("SHA-256 of model.pkl", text(metadata.get("sha256"))),
    ]
    yield Table(("fact", "value"), [(fact, value or UNKNOWN) for fact, value in facts])
    yield f"It uses {', '.join(FIELD_NAMES.values())}; it does not use salary, name or number."
    yield "train_model keeps no row of its data."


def _settings(training: Mapping[str, Any]) -> str:
    settings = {**mapping(training.get("settings")), "seed": training.get("seed")}
    return ", ".join(f"{name} {text(settings[name])}" for name in sorted(settings) if text(settings[name]))


def _codes(encodings: Mapping[str, Any]) -> str:
    fields = [mapping(encodings.get(name)) for name in WORD_FIELDS]
    return "; ".join(", ".join(f"{word} {text(codes[word])}" for word in sorted(codes)) for codes in fields if codes)


_METRICS: Mapping[str, str] = {
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "brier": "Brier score (lower is better)",
    "log_loss": "log loss (lower is better)",
    "calibration_error": "calibration error (lower is better)",
    "recall_at_10_percent": "leavers found among the riskiest 10 %",
    "lift_at_10_percent": "lift among the riskiest 10 %",
}


def _quality(metadata: Mapping[str, Any]) -> Iterator[Block]:
    metrics, baselines = mapping(metadata.get("metrics")), mapping(metadata.get("baselines"))
    known_first = [*(name for name in _METRICS if name in metrics), *sorted(metrics.keys() - _METRICS.keys())]
    measured = [name for name in known_first if _format_with_spread(metrics[name]) != UNKNOWN]
    if not measured:
        yield "It is not recorded how good this forest is: evaluate it on your own customers before you rely on it."
        return
    yield f"{text(metrics.get('method')) or 'How this was measured is not known'}; mean ± standard deviation."
    models = {"this forest": metrics, **{spaced(name): mapping(baselines[name]) for name in sorted(baselines)}}
    yield Table(
        ("figure", *models),
        [
            (_METRICS.get(name, spaced(name)), *(_format_with_spread(model.get(name)) for model in models.values()))
            for name in measured
        ],
    )
    if not baselines:
        yield "It was not compared with simpler models."


def _format_with_spread(metric: object) -> str:
    """A figure with its spread, where both are known."""
    figure = {"mean": metric, **mapping(metric)}
    spread = "" if number(figure.get("std")) is None else f" ± {format_figure(figure['std'], DECIMAL)}"
    return f"{format_figure(figure['mean'], DECIMAL)}{spread}"


def _limits(limits: Mapping[str, Any]) -> Iterator[Block]:
    yield (
        "The model reflects the customers it was trained on. For other customers or at later times its probabilities "
        "may be inaccurate; the ranking is less affected. It shows what goes with leaving, not what causes it."
    )
    yield (
        "It uses gender, country and age, by which leaving differs in such data. Reasons shown to staff sum the fields "
        'that the bank protects as "Other factors".'
    )
    ranges = mapping(limits.get("ranges"))
    ends = {words: numbers(ranges.get(name)) for name, words in FIELD_NAMES.items() if name not in FLAGS}
    seen = [f"{words} {' to '.join(map(format_figure, pair))}" for words, pair in ends.items() if len(pair) == 2]
    if seen:
        yield f"It was trained on {', '.join(seen)}; scores outside these ranges are not reliable."
    else:
        yield "The ranges of the values it was trained on are not available; scores outside them are not reliable."
    if small := [f"{group} ({format_figure(customers)})" for group, customers in by_group(limits.get("small_groups"))]:
        yield f"Scores rest on few examples (fewer than {format_figure(limits.get('few'))}) for: {', '.join(small)}."
