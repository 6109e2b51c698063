"""Compiled kernels kept on disk by numba, held to their own checksums: what is damaged is compiled anew.

numba trusts its files. A truncated one ends the import, and every later one; wrong bytes in the middle are machine code
that is run. Here each file ends in the SHA-256 of what stands before it, which numba itself does not read.
"""

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from io import BytesIO
from logging import getLogger
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, UserWideCacheLocator

logger = getLogger("vigilpay.model")

_DIGEST_BYTES = 32


def compiled(*signatures: str, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """As numba's ``njit`` with ``cache=True, nogil=True``; without a signature a function is compiled when called.

    Raises RuntimeError where no directory can be written.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = njit(nogil=True, **options)(function)
        dispatcher._cache = _Cache(function)
        for signature in signatures:
            dispatcher.compile(signature)
        if signatures:
            dispatcher.disable_compile()
        return dispatcher

    return decorate


class _Files(IndexDataCacheFile):
    @contextmanager
    def _open_for_write(self, path: str) -> Iterator[BytesIO]:
        content = BytesIO()
        yield content
        with super()._open_for_write(path) as file:
            file.write(content.getvalue() + sha256(content.getvalue()).digest())

    def _load_index(self) -> dict[Any, str]:
        return super()._load_index() if _is_whole(self._index_path) else {}

    def _load_data(self, name: str) -> Any:
        if not _is_whole(self._data_path(name)):
            raise FileNotFoundError(name)  # which numba takes for what it has to compile
        return super()._load_data(name)


def _is_whole(path: str) -> bool:
    try:
        content = Path(path).read_bytes()
    except OSError:
        return False
    return sha256(content[:-_DIGEST_BYTES]).digest() == content[-_DIGEST_BYTES:]


class _TemporaryLocator(UserWideCacheLocator):
    """The last resort, where neither the code's directory nor the user's can be written: one for this account alone."""

    def __init__(self, function: Callable[..., Any], source: str) -> None:
        super().__init__(function, source)
        self._private = Path(tempfile.gettempdir(), f"vigilpay-kernels-{os.getuid()}")
        self._cache_path = str(self._private / self.get_suitable_cache_subpath(source))

    def ensure_cache_path(self) -> None:
        with suppress(FileExistsError):
            self._private.mkdir(mode=0o700)
        entry = self._private.lstat()
        if not stat.S_ISDIR(entry.st_mode) or entry.st_uid != os.getuid() or entry.st_mode & 0o077:
            raise PermissionError(f"{self._private} is not a directory of this account alone")
        super().ensure_cache_path()

    @classmethod
    def from_function(cls, function: Callable[..., Any], source: str) -> Any:
        with suppress(OSError):
            return super().from_function(function, source)
        return None


class _Places(CompileResultCacheImpl):
    _locator_classes = [*CompileResultCacheImpl._locator_classes, _TemporaryLocator]


class _Cache(FunctionCache):
    _impl_class = _Places

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp())

    def save_overload(self, signature: Any, result: Any) -> None:
        try:
            super().save_overload(signature, result)
        except OSError as error:
            _warn_once(self._cache_path, error.strerror or str(error))


@cache
def _warn_once(directory: str, why: str) -> None:
    logger.warning("compiled kernels cannot be kept in %s (%s): each process compiles them anew", directory, why)
