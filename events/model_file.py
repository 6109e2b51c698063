"""Notices that somebody put another model file in place, for the price of two ``stat`` calls."""

from pathlib import Path

Signature = tuple[tuple[int, int, int] | None, ...]


class ModelFileWatch:
    """Remembers how the model file looked when a worker was last told of it. At first it has told nobody."""

    def __init__(self, assets_dir: Path) -> None:
        self._paths = (assets_dir / "model.pkl", assets_dir / "model.json")
        self._told: Signature | None = None
        self._seen: Signature | None = None

    def changed(self) -> bool:
        """Whether the files differ from those that a worker was last told of."""
        self._seen = tuple(look_of(path) for path in self._paths)
        return self._seen != self._told

    def remember(self) -> None:
        """A worker has been told of what ``changed`` last saw."""
        self._told = self._seen


def look_of(path: Path) -> tuple[int, int, int] | None:
    """Identity, size in bytes and time in nanoseconds of a file; None when there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
