"""The countries and genders that can be scored: those that the active model knows."""

from contextlib import suppress

from customers.ml_service.forest.encoding import Encodings
from customers.models import ModelRelease


def known_words() -> Encodings:
    """The words of the active release; of one that keeps none, or before the first, those of a model without metadata.

    No model is loaded for it, and none is activated.
    """
    stored = ModelRelease.objects.order_by("-id").values_list("metadata__encodings", flat=True).first()
    with suppress(ValueError):  # metadata of other tools may say anything
        return Encodings.from_metadata(stored)
    return Encodings()
