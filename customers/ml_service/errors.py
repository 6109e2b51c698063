"""The one family of scoring errors. Each message says what is wrong and what to do about it."""

from collections.abc import Iterable

from .messages import FIELD_NAMES, format_words


class ScoringError(Exception):
    """A score could not be given. `permanent`: trying again cannot help until the data or the model change."""

    permanent: bool = True


class ModelError(ScoringError):
    """No usable model: nothing can be scored until the model file is put right."""


class ModelMissingError(ModelError):
    """There is no model file, or it cannot be read."""


class ModelCorruptError(ModelError):
    """The file is not a complete pickle, or holds impossible values."""


class ModelClassError(ModelError):
    """The file holds something else than a fitted two-class RandomForestClassifier."""


class ModelColumnsError(ModelError):
    """The forest was not fitted on the nine behavioural columns."""


class ModelVersionError(ModelError):
    """Written by another scikit-learn: it cannot be loaded, or it disagrees with its golden rows."""


class ModelImplausibleError(ModelError):
    """The file can be used, but its scores are implausible: the same for all customers, or worse than chance."""


class UnreleasedModelError(ModelError):
    """The file is not the one that was released, and only released files are accepted here."""


class UnknownReleaseError(UnreleasedModelError):
    """The records of releases do not know the file, which was not unpickled. They may know it later."""


class InputError(ScoringError):
    """A customer's data cannot be scored. `field` names the culprit, `row` its index in a batch (else None)."""

    def __init__(self, message: str, *, field: str | None = None, row: int | None = None) -> None:
        super().__init__(message if row is None else f"row {row}: {message}")
        self.message = message
        self.field = field
        self.row = row

    def at(self, row: int) -> "InputError":
        """The same error of this row of a batch."""
        return InputError(self.message, field=self.field, row=row)


class UnknownWordError(InputError):
    """A country or a gender that the model has not learned: the customer waits for a model that knows `word`.

    `called` is the word with what it is, as in "country Italy".
    """

    def __init__(
        self, field: str, word: str, known: Iterable[str], model: str = "The model", row: int | None = None
    ) -> None:
        self.word, self.known, self.model = word, tuple(known), model
        self.called = f"{FIELD_NAMES[field]} {word}"
        super().__init__(
            f"{model} does not know the {self.called}; it knows {format_words(self.known)}.", field=field, row=row
        )

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return UnknownWordError, (self.field, self.word, self.known, self.model, self.row)

    def at(self, row: int) -> "UnknownWordError":
        return UnknownWordError(str(self.field), self.word, self.known, self.model, row)

    def of(self, model: str) -> "UnknownWordError":
        """The same error, which names the model."""
        return UnknownWordError(str(self.field), self.word, self.known, model)
