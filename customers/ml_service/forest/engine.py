"""Which code does the arithmetic: numba's kernels once they are loaded, the numpy path before that or without them.

Importing numba and its cached kernels takes some 0.4 s (many seconds when they must be compiled first), so a process
that scores one customer never does it. A batch does, and so does the process that keeps scoring single rows.
"""

import importlib
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from .compiled import FlatForest, Floats, score_matrix

logger = logging.getLogger("vigilpay.model")


class _Kernels:
    """A lazily imported module of kernels; None when numba is missing or cannot cache."""

    def __init__(self, name: str, *, batch_rows: int, singles: int) -> None:
        self._name = name
        self._batch_rows = batch_rows  # a batch of this size waits for the kernels
        self._singles_left = singles  # rows in smaller batches before the process loads them after all
        self._lock = threading.RLock()
        self._module: ModuleType | None = None
        self._tried = False
        # A fork in the middle of another thread's compilation would leave the child with locks that are never released.
        os.register_at_fork(
            before=self._lock.acquire, after_in_parent=self._lock.release, after_in_child=self._lock.release
        )

    def for_rows(self, n_rows: int) -> ModuleType | None:
        """Return the kernels if they are loaded or worth loading for `n_rows` rows now."""
        if not self._tried:
            self._singles_left -= n_rows
            if n_rows >= self._batch_rows or self._singles_left < 0:
                return self.load_once(wait=n_rows >= self._batch_rows)
        return self._module

    def load_once(self, *, wait: bool = True) -> ModuleType | None:
        """Import the kernels once. With `wait=False`, leave it to the thread that is already at it."""
        if not self._lock.acquire(blocking=wait):
            return None
        try:
            if not self._tried:
                self._module = self._import()
                self._tried = True
            return self._module
        finally:
            self._lock.release()

    def _import(self) -> ModuleType | None:
        try:
            if is_switched_off():
                logger.info("NUMBA_DISABLE_JIT is set: using the slower numpy path")
                return None
            if _cache_directory is not None:
                import numba

                numba.config.CACHE_DIR = str(_cache_directory)  # type: ignore[attr-defined]
            return importlib.import_module(f"{__package__}.{self._name}")
        except Exception as error:  # no numba, no directory that can be written: whatever it is, numpy still scores
            logger.warning(
                "compiled kernels unavailable (%s: %s), using the slower numpy path%s",
                type(error).__name__,
                error,
                "; set NUMBA_CACHE_DIR to a writable directory" if "no locator" in str(error) else "",
            )
            return None


_cache_directory: Path | None = None
scoring = _Kernels("kernels", batch_rows=256, singles=256)
explaining = _Kernels("explain_kernels", batch_rows=16, singles=16)


def set_cache_directory(directory: Path | None) -> None:
    """Set where numba keeps compiled kernels; None leaves it to numba (NUMBA_CACHE_DIR, else beside the source)."""
    global _cache_directory
    _cache_directory = directory


def is_switched_off() -> bool:
    """Whether the user has asked numba to compile nothing; its kernels would be loops in plain Python then."""
    import numba  # imported late: see the module's docstring

    return bool(numba.config.DISABLE_JIT)  # type: ignore[attr-defined]


def warm_kernels() -> bool:
    """Compile all kernels, or load them from numba's cache. False when only the numpy path is available."""
    loaded = [kernels.load_once() is not None for kernels in (scoring, explaining)]
    return all(loaded)


def score_row(forest: FlatForest, row: Sequence[float] | NDArray[np.float32]) -> float:
    """Return the score of one encoded row."""
    vector = np.asarray(row, dtype=np.float32)
    kernels = scoring.for_rows(1)
    if kernels is None:
        return float(score_matrix(forest, vector[None, :])[0])
    return float(kernels.score_row(*forest.kernel_arrays, vector))


def score_rows(forest: FlatForest, matrix: NDArray[np.float32]) -> Floats:
    """Return the (n,) scores of an encoded (n, 9) matrix."""
    kernels = scoring.for_rows(len(matrix))
    if kernels is None:
        return score_matrix(forest, matrix)
    scores = np.empty(len(matrix))
    kernels.score_rows(*forest.kernel_arrays, matrix, scores)
    return scores
