"""What the records of releases say of a model file. The application that keeps them passes them in: `configure`."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Records:
    """Of the model.pkl with this SHA-256: whether it may be unpickled, and which contents its arrays may have.

    `contents` are checksums as `FlatForest.contents` gives them; without any its arrays are not used.
    """

    sha256: str
    may_be_unpickled: bool
    contents: frozenset[str] = frozenset()


RecordsOf = Callable[[str], Records]
