"""What a model file may hold around its forest: the search that found it, and scalers before it in a Pipeline."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from customers.ml_service.errors import ModelClassError
from customers.ml_service.schema import NINE_COLUMNS

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

SCALERS = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")
_WANTED = "VigilPay scores RandomForestClassifier: dump the fitted one, alone or behind scalers in a Pipeline"


class Parts(NamedTuple):
    """A forest, and the fitted steps before it, each of which scales every column by itself and keeps its order."""

    steps: tuple[Any, ...]
    forest: "RandomForestClassifier"

    @property
    def first(self) -> Any:
        """What gets the columns as they are: names further on may be made up by a scaler."""
        return (*self.steps, self.forest)[0]


def parts_of(model: Any) -> Parts:
    """Return what is inside of an unpickled model. ModelClassError says why it cannot be used, and what can."""
    from sklearn.ensemble import RandomForestClassifier  # late: web and worker processes score without scikit-learn
    from sklearn.pipeline import Pipeline

    if isinstance(model, RandomForestClassifier):
        if not getattr(model, "estimators_", None):
            raise ModelClassError("the RandomForestClassifier is not fitted; call fit() before dumping it")
        return Parts((), model)
    if hasattr(model, "best_estimator_"):
        return parts_of(model.best_estimator_)
    if isinstance(model, Pipeline):
        *before, (_, last) = model.steps
        steps, forest = parts_of(last)
        return Parts((*_scalers(before), *steps), forest)
    raise ModelClassError(f"{_describe_other(model)}. {_WANTED}")


def _scalers(steps: list[tuple[str, Any]]) -> Iterator[Any]:
    from sklearn.pipeline import Pipeline

    for name, step in steps:
        if isinstance(step, Pipeline):
            yield from _scalers(step.steps)
        elif _scales(step):
            if not hasattr(step, "n_features_in_"):
                raise ModelClassError(
                    f"the Pipeline's step {name!r} is not fitted; fit the whole Pipeline before dumping it"
                )
            step.set_output(transform="default")  # a Pipeline that was set to make DataFrames would need pandas here
            yield step
        elif step not in (None, "passthrough"):
            raise ModelClassError(
                f"this is a Pipeline whose step {name!r} is of the class {type(step).__name__}; VigilPay can fold only "
                f"{', '.join(SCALERS)} of all columns into the forest. Its last step alone would be wrong, for it was "
                f"fitted on what the steps before it make. Fit a RandomForestClassifier on {NINE_COLUMNS}; dump that"
            )


def _scales(step: Any) -> bool:
    """Whether every column of a customer without gaps is scaled by itself, or stays as it is."""
    kind = type(step)
    if not kind.__module__.startswith("sklearn."):
        return False  # the same name in another library, or a class of its author's own, may do anything
    if kind.__name__ == "SimpleImputer":
        gap = step.missing_values
        return not step.add_indicator and isinstance(gap, float) and gap != gap
    return kind.__name__ in SCALERS


def _describe_other(model: Any) -> str:
    name, library = type(model).__name__, type(model).__module__.partition(".")[0]
    if name.endswith("SearchCV"):
        return f"this is a {name} without a best_estimator_: not fitted, or with refit=False"
    if hasattr(model, "fit") or hasattr(model, "predict"):
        return f"this is a model of the class {name} ({library})"
    return f"this is a {name}, not a model{_inside(model)}"


def _inside(thing: Any) -> str:
    """Where in a dict, list or tuple a model lies, as people dump it with its columns and encoders."""
    items = thing.items() if isinstance(thing, dict) else enumerate(thing) if isinstance(thing, list | tuple) else ()
    found = [f"[{key!r}]" for key, value in items if hasattr(value, "predict_proba")]
    return f"; a model lies in it at {', '.join(found)}: dump that alone" if found else ""
