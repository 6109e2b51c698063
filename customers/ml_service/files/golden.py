"""Golden rows: generated customers whose scores are stored with a release, to check whether a load went right."""

import random
from collections.abc import Mapping
from typing import Any

from customers.ml_service.errors import InputError, ModelCorruptError, ModelVersionError
from customers.ml_service.forest.compiled import FlatForest, score_matrix
from customers.ml_service.forest.encoding import Encodings, encode_rows
from customers.ml_service.schema import WORD_FIELDS

_COUNT = 24
_TOLERANCE = 1e-9


def generate_rows(count: int = _COUNT, seed: int = 20, encodings: Encodings | None = None) -> list[tuple[Any, ...]]:
    """Return made-up customers in FEATURES order, never real ones, spread over all that the model looks at.

    Their words are those of `encodings`, in turn; of the brief's model without any. Their numbers lie within
    `schema.VERIFIED_WITH`, whatever bounds are set.
    """
    countries, genders = map((encodings or Encodings()).words, WORD_FIELDS)
    pick = random.Random(seed)  # noqa: S311 - no secrets here
    return [
        (
            pick.randint(350, 850),
            countries[index % len(countries)],
            genders[index % len(genders)],
            pick.randint(18, 80),
            pick.randint(0, 10),
            pick.choice([0.0, round(pick.uniform(5_000, 200_000), 2)]),
            1 + index % 4,
            pick.randint(0, 1),
            pick.randint(0, 1),
        )
        for index in range(count)
    ]


def record(flat: FlatForest, encodings: Encodings) -> dict[str, Any]:
    """Return generated rows with this forest's scores, as model.json stores them."""
    rows = generate_rows(encodings=encodings)
    return {"rows": [list(row) for row in rows], "scores": score_matrix(flat, encode_rows(rows, encodings)).tolist()}


def check(flat: FlatForest, encodings: Encodings, metadata: Mapping[str, Any]) -> None:
    """ModelVersionError when the forest no longer gives the scores recorded at its release."""
    golden = metadata.get("golden")
    if golden is None:
        return
    try:
        scores, recorded = score_matrix(flat, encode_rows(golden["rows"], encodings)), golden["scores"]
        furthest = max((abs(now - then) for now, then in zip(scores.tolist(), recorded, strict=True)), default=0.0)
    except (InputError, KeyError, TypeError, ValueError) as error:
        raise ModelCorruptError(
            f"the golden rows in model.json are damaged ({error}); release the model again"
        ) from None
    if not furthest <= _TOLERANCE:
        raise ModelVersionError(
            f"the model disagrees with its golden rows by {furthest:.3g}: it was released with scikit-learn "
            f"{metadata.get('sklearn_version', 'an unknown version')} and does not give those scores here; "
            "dump it with the scikit-learn of requirements.txt and release it again"
        )
