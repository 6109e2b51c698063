"""The modules that are tried, and the tests that are theirs."""

SUBJECTS: dict[str, tuple[str, ...]] = {
    "customers/scoring.py": (
        "tests/customers/test_batches.py",
        "tests/customers/test_scoring.py",
        "tests/customers/test_failures.py",
        "tests/customers/test_contention.py",
    ),
    "customers/writing.py": (
        "tests/customers/test_batches.py",
        "tests/customers/test_scoring.py",
        "tests/customers/test_failures.py",
        "tests/customers/test_contention.py",
    ),
    "customers/claims.py": ("tests/customers/test_claims.py", "tests/customers/test_lives.py"),
    "customers/marks.py": ("tests/customers/test_claims.py", "tests/customers/test_lives.py"),
    "customers/releases.py": ("tests/customers/test_releases.py", "tests/customers/test_reused_release.py"),
    "customers/failures.py": ("tests/customers/test_failures.py", "tests/customers/test_dead_letters.py"),
    "events/watch.py": ("tests/events/test_watch.py", "tests/events/test_dispatch.py"),
    "events/triggers.py": ("tests/events/test_triggers.py", "tests/events/test_lives.py"),
}
