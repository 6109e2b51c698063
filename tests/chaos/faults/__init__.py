"""The faults, by name, in files by theme: importing these is what registers them."""

from tests.chaos.faults import knocks, model, postgres, processes, together
from tests.chaos.faults.registry import FAULTS, BrokenPromiseError, Fault

__all__ = ["FAULTS", "BrokenPromiseError", "Fault", "knocks", "model", "postgres", "processes", "together"]
