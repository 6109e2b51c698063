"""Which process of a django-q2 cluster is which: they bear no names of their own."""

from pathlib import Path

import psutil

ROLES = ("main", "sentinel", "worker", "monitor", "pusher")


def roles(main_pid: int | None) -> dict[str, list[int]]:
    """Process numbers by role, of a ``manage.py qcluster`` whose main process is given; empty lists for what is gone.

    django-q2 spawns workers, monitor and pusher in this order (``Sentinel.spawn_cluster``). Later ones take the place
    of those that died or were recycled, so what a process has become says more than its number.
    """
    found: dict[str, list[int]] = {role: [] for role in ROLES}
    if main_pid is None or not psutil.pid_exists(main_pid):
        return found
    found["main"] = [main_pid]
    for sentinel in _children(main_pid):
        found["sentinel"].append(sentinel.pid)
        parts = _children(sentinel.pid)
        workers = [part for part in parts if _has_loaded_the_kernels(part)]
        rest = [part for part in parts if part not in workers]
        if len(rest) != 2:  # so early, or so late, that only the order can tell
            workers, rest = parts[:-2], parts[-2:]
        found["worker"] += [part.pid for part in workers]
        # Only who puts something into a queue has a thread for it, and the monitor only takes.
        found["monitor"] += [part.pid for part in sorted(rest, key=_threads)[:1]]
        found["pusher"] += [part.pid for part in sorted(rest, key=_threads)[1:]]
    return found


def cluster_of(supervisor_pid: int) -> int | None:
    """The main process of the cluster that a ``manage.py run_worker`` runs at the moment."""
    mains = _children(supervisor_pid)
    return mains[0].pid if mains else None


def is_complete(found: dict[str, list[int]]) -> bool:
    return all(found.values())


def _children(pid: int) -> list[psutil.Process]:
    try:
        children = psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return []
    return sorted(filter(_lives, children), key=lambda child: child.pid)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _has_loaded_the_kernels(process: psutil.Process) -> bool:
    maps = Path(f"/proc/{process.pid}/maps")  # much cheaper than psutil's memory_maps, which asks for the sizes too
    try:
        return "llvmlite" in maps.read_text()
    except OSError:
        return False


def _threads(process: psutil.Process) -> int:
    try:
        return int(process.num_threads())
    except psutil.Error:
        return 0
