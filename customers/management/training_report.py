"""What `train_model` prints: plain lines for a terminal."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from customers.import_export.training_file import LabelledFile, about_repeated
from customers.management.columns import in_columns
from customers.ml_service.forest.encoding import Encodings
from customers.ml_service.training import TrainingData
from customers.ml_service.training.data import FEWEST_OF_A_WORD
from customers.ml_service.training.leaks import Alone
from customers.ml_service.training.quality import FIGURES
from customers.monitoring.learning import PastCustomers, about_left_out
from customers.presentation.durations import format_day
from customers.presentation.numbers import format_count, format_percent

BASELINES = {"logistic_regression": "logistic regression", "constant": "constant"}
WORD_COLUMNS = {"geography": "countries", "gender": "genders"}
NAMED = 10  # of rare words; a model may know a thousand
# The settings that `--search` chooses among, in words.
WORDS = {
    "n_estimators": "{} trees",
    "max_leaf_nodes": "at most {} leaves",
    "min_samples_leaf": "{} customers in a leaf",
    "max_features": "{} columns per split",
}


def about_rows(file: LabelledFile) -> Iterator[str]:
    """How many customers there are; which rows were left out, and why."""
    data = file.data
    left = percent(data.churn_rate)
    yield f"{len(data.labels):,} customers, {left} of whom left; {file.rejects.rows:,} rows rejected"
    if file.objected:
        yield f"{format_count(file.objected, 'customer', 'customers')} left out: they have objected to profiling"
    yield from file.formats
    yield from file.rejects.summary()
    yield from about_repeated(file.rejects)


def about_past(past: PastCustomers) -> Iterator[str]:
    """Which customers of the past there are; how many were left out, and why."""
    window = past.window
    yield (
        f"{len(past.labels):,} customers as they stood when {format_day(window.first_day)} began; "
        f"{percent(past.data.churn_rate)} left from then to {format_day(window.last_day)}"
    )
    yield from about_left_out(past)
    if past.reworded:
        customers = format_count(past.reworded, "customer", "customers")
        yield f"Used with the country or gender that an import would store: {customers}."


def about_others(columns: Sequence[Alone]) -> Iterator[str]:
    """The columns that are not trained on, and how much each alone says of who left."""
    if columns:
        yield from ("", "Columns not used for training, with the ROC AUC of each alone:")
        rows = [
            (it.name, f"{it.roc_auc:.3f}", "nearly copies the label" if it.leaks else "an id" if it.is_id else "")
            for it in columns
        ]
        yield from _table(("column", "alone", ""), rows)


def warnings(features: Sequence[Alone], others: Sequence[Alone]) -> Iterator[str]:
    """One line for each column that gives the label away."""
    for column in filter(lambda column: column.leaks, features):
        yield (
            f"Warning: {column.name} alone shows who left (ROC AUC {column.roc_auc:.3f}) and is used for "
            "training. If it was recorded after the customers left, no figure below is valid."
        )
    for column in filter(lambda column: column.leaks, others):
        yield f"Warning: {column.name} nearly copies the label (ROC AUC {column.roc_auc:.3f}). It is not trained on."


def about_training(metadata: Mapping[str, Any]) -> Iterator[str]:
    """What the search found, how good the forest is, and by which settings."""
    training = metadata["training"]
    if "search" in training:
        yield from about_search(training["search"])
    yield from about_quality(metadata["metrics"], metadata["baselines"], training["churn_rate"])
    settings = ", ".join(words.format(training["settings"][name]) for name, words in WORDS.items())
    yield f"The forest: {settings}."


def about_rare_words(data: TrainingData, encodings: Encodings) -> Iterator[str]:
    """Which words share a code because too few customers have each."""
    for column, called in WORD_COLUMNS.items():
        codes = encodings.codes(column)
        customers = Counter(sorted(data.column(column))).most_common()
        rare = [(word, count) for word, count in customers if count < FEWEST_OF_A_WORD]
        sharing = [word for word, code in codes.items() if rare and code == codes[rare[0][0]]]
        if len(sharing) > 1:
            frequent = [word for word in sharing if word not in dict(rare)]
            code = f"the code of {frequent[0]}" if frequent else "one code"
            yield f"Rare {called} share {code}: {_counted(rare)}."


def _counted(words: Sequence[tuple[str, int]]) -> str:
    (first, count), *others = words[:NAMED]
    more = f" and {len(words) - NAMED:,} more" if len(words) > NAMED else ""
    named = [f"{first} ({format_count(count, 'customer', 'customers')})", *(f"{word} ({n:,})" for word, n in others)]
    return ", ".join(named) + more


def about_search(found: Mapping[str, Any]) -> Iterator[str]:
    best, chosen = found["best"], found["chosen"]
    yield (
        f"\nSearched {found['tried']:,} forests: best ROC AUC {best['roc_auc']:.4f}, with {best['nodes']:,.0f} nodes."
    )
    smallest = f"{chosen['roc_auc']:.4f}, with {chosen['nodes']:,.0f} nodes"
    yield f"Chosen: the smallest forest within {found['tolerance']} of the best: {smallest}."


def about_quality(metrics: Mapping[str, Any], baselines: Mapping[str, Any], churn_rate: float) -> Iterator[str]:
    """The forest beside what it has to beat, on the same folds."""
    yield f"\n{metrics['method']}; mean ± standard deviation over the folds:"
    judged = [metrics, *(baselines[name] for name in BASELINES)]
    rows = [
        (
            figure.title,
            *(f"{figures[name]['mean']:.3f} ± {figures[name]['std']:.3f}" for figures in judged),
            "higher" if figure.higher_is_better else "lower",
        )
        for name, figure in FIGURES.items()
    ]
    yield from _table(("figure", "forest", *BASELINES.values(), "better is"), rows)
    calibration = metrics["calibration"]
    yield f"\nScores average {percent(calibration['mean_score'])} where {percent(churn_rate)} left."
    slope = f"{calibration['slope']:.2f}"
    yield f"Calibration slope {slope}: 1 is right; above 1 the scores are too cautious, below 1 too extreme."


def percent(share: float) -> str:
    return format_percent(share)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    return (f"  {line}" for line in in_columns(head, rows).splitlines())
