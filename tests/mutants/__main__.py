"""``python -m tests.mutants``: which statements can be taken away unnoticed; exits 1 when one can, without a reason."""

import argparse
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from tests.mutants.bench import ROOT, Bench
from tests.mutants.removals import Removal, removals
from tests.mutants.subjects import SUBJECTS


@dataclass(frozen=True)
class Mutant:
    """A module without one of its statements."""

    module: str
    removal: Removal

    def __str__(self) -> str:
        return f"{self.module}:{self.removal.first}: {self.removal.text}"

    def source(self) -> str:
        return self.removal.applied_to((ROOT / self.module).read_text())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", action="append", metavar="MODULE", help="a module by its path, or a part of it")
    parser.add_argument("--seconds", type=float, default=1800, help="no mutant is begun after this time")
    parser.add_argument("--seed", type=int, default=0, help="the order in which they are tried")
    parser.add_argument("--benches", type=int, default=2, help="how many are tried at a time")
    return parser.parse_args()


def mutants(only: list[str] | None) -> list[Mutant]:
    modules = [module for module in SUBJECTS if not only or any(part in module for part in only)]
    return [Mutant(module, each) for module in modules for each in removals((ROOT / module).read_text())]


def tried(all_of_them: list[Mutant], benches: int, seconds: float) -> dict[Mutant, bool]:
    """For each mutant that there was time for: whether it was noticed."""
    ends = time.monotonic() + seconds
    todo: SimpleQueue[Mutant] = SimpleQueue()
    for mutant in all_of_them:
        todo.put(mutant)

    def work(number: int) -> dict[Mutant, bool]:
        found: dict[Mutant, bool] = {}
        with Bench(ROOT / ".local" / f"mutants{number}") as bench:
            while time.monotonic() < ends:
                try:
                    mutant = todo.get_nowait()
                except Empty:
                    break
                found[mutant] = bench.notices(mutant.module, mutant.source(), SUBJECTS[mutant.module])
                sys.stdout.write("." if found[mutant] else "S")
                sys.stdout.flush()
        return found

    with ThreadPoolExecutor(benches) as pool:
        return {mutant: noticed for found in pool.map(work, range(benches)) for mutant, noticed in found.items()}


def report(all_of_them: list[Mutant], results: dict[Mutant, bool]) -> bool:
    """Print a line for each module and each survivor; whether every survivor has a reason."""
    print(f"\n{'module':<28} statements  tried  noticed  argued  survived")  # noqa: T201
    for module in dict.fromkeys(mutant.module for mutant in all_of_them):
        mine = [mutant for mutant in all_of_them if mutant.module == module]
        noticed = sum(results.get(mutant, False) for mutant in mine)
        argued = sum(not results.get(mutant, True) and mutant.removal.is_argued for mutant in mine)
        count = sum(mutant in results for mutant in mine)
        row = f"{len(mine):>10} {count:>6} {noticed:>8} {argued:>7} {count - noticed - argued:>9}"
        print(f"{module:<28} {row}")  # noqa: T201
    survivors = [mutant for mutant, noticed in results.items() if not noticed and not mutant.removal.is_argued]
    for mutant in sorted(survivors, key=str):
        print(f"survived: {mutant}")  # noqa: T201
    return not survivors


def main() -> int:
    options = arguments()
    all_of_them = mutants(options.only)
    random.Random(options.seed).shuffle(all_of_them)
    results = tried(all_of_them, options.benches, options.seconds)
    return 0 if report(all_of_them, results) else 1


if __name__ == "__main__":
    sys.exit(main())
