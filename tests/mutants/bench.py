"""A copy of the checkout in which one statement at a time is missing, with a PostgreSQL of its own."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parent.parent.parent
PYTEST = ("-m", "pytest", "-x", "-q", "--no-header", "-p", "no:randomly", "-p", "no:cacheprovider")
WARM = "from customers.ml_service.forest.engine import warm_kernels; warm_kernels()"
STARTS_SECONDS = 60.0  # what a run may take beyond four times a whole one: a statement gone can be an endless loop


class Bench:
    """Use as a context: it is removed at the end, and its server stopped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Its own server, not that of DATABASE_URL: two benches would share one test database.
        self._environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        self._whole: dict[tuple[str, ...], float] = {}

    def __enter__(self) -> Self:
        shutil.rmtree(self._folder, ignore_errors=True)
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        for name in listed.decode().split("\0"):
            if name and (ROOT / name).is_file():
                (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self._folder / name)
        # What numba has compiled is kept for each checkout: a first test that compiles outlives its transaction.
        self._run("-c", WARM, limit=None)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._run("-m", "vigilpay.localdb", "stop", limit=None)
        shutil.rmtree(self._folder, ignore_errors=True)

    def time_whole(self, tests: tuple[str, ...]) -> None:
        """Run the tests with nothing missing. Raises ``RuntimeError`` if they fail: then no failure would tell."""
        begun = time.monotonic()
        done = self._run(*PYTEST, *tests, limit=None)
        if done is None or done.returncode:
            raise RuntimeError(f"Fails with nothing missing: {' '.join(tests)}\n{done.stdout if done else ''}")
        self._whole[tests] = time.monotonic() - begun

    def notices(self, module: str, mutant: str, tests: tuple[str, ...]) -> bool:
        """Whether these tests fail, or do not end, with this text in the place of the module's."""
        if tests not in self._whole:
            self.time_whole(tests)
        path = self._folder / module
        original = path.read_text()
        path.write_text(mutant)
        try:
            done = self._run(*PYTEST, *tests, limit=STARTS_SECONDS + 4 * self._whole[tests])
        finally:
            path.write_text(original)
        return done is None or done.returncode != 0

    def _run(self, *arguments: str, limit: float | None) -> subprocess.CompletedProcess[str] | None:
        try:
            return subprocess.run(
                [sys.executable, *arguments],
                cwd=self._folder,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
