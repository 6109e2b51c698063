"""The countries and genders that can be scored: those that the active model knows."""

from customers.ml_service import ModelError
from customers.ml_service.forest.encoding import Encodings
from customers.releases.active import active_model


def known_words() -> Encodings:
    """The words of the active model; where none can be used here, those of a model without metadata."""
    try:
        return active_model()[0].encodings
    except ModelError:
        return Encodings()
