"""Notices that another model file was put in place, for the price of two ``stat`` calls."""

from pathlib import Path

from customers.ml_service.files.assets import METADATA_FILE, MODEL_FILE
from customers.ml_service.files.registry import Stamp, stamp_of


class ModelFileWatch:
    """Remembers how the model file looked when a worker was last woken for it. At first none was."""

    def __init__(self, assets_dir: Path) -> None:
        self._paths = (str(assets_dir / MODEL_FILE), str(assets_dir / METADATA_FILE))
        self._reported: tuple[Stamp, ...] | None = None
        self._seen: tuple[Stamp, ...] | None = None

    def has_changed(self) -> bool:
        """Whether the files differ from those that a worker was last woken for."""
        self._seen = tuple(stamp_of(path) for path in self._paths)
        return self._seen != self._reported

    def remember(self) -> None:
        """A worker was woken for what ``has_changed`` last saw."""
        self._reported = self._seen
