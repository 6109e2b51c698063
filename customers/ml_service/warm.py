"""`python -m customers.ml_service.warm [DIRECTORY]`: compile the kernels into numba's cache, once per installation."""

import sys
from pathlib import Path

from .engine import set_cache_directory, warm_kernels


def main(arguments: list[str]) -> int:
    """Compile into the directory named, else where numba keeps its cache. Exit code 1: only numpy will be available."""
    if arguments:
        set_cache_directory(Path(arguments[0]))
    return 0 if warm_kernels() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
