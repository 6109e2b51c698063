"""`python -m customers.ml_service.warm [DIRECTORY]`: compile the kernels into numba's cache, once per installation."""

import sys
from pathlib import Path

from .forest.engine import is_switched_off, set_cache_directory, warm_kernels


def main(arguments: list[str]) -> int:
    """Compile into the directory named, else where numba keeps its cache; what is damaged there is compiled anew.

    Exit code 1: only numpy will be available, and the user has not asked for it by NUMBA_DISABLE_JIT.
    """
    if arguments:
        set_cache_directory(Path(arguments[0]))
    return 0 if warm_kernels() or is_switched_off() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
