"""The modules that are tried, and the tests that are theirs."""

SUBJECTS: dict[str, tuple[str, ...]] = {
    "customers/scoring/scorer.py": (
        "tests/customers/scoring/test_batches.py",
        "tests/customers/scoring/test_scorer.py",
        "tests/customers/scoring/test_failures.py",
        "tests/customers/scoring/test_contention.py",
    ),
    "customers/scoring/writing.py": (
        "tests/customers/scoring/test_batches.py",
        "tests/customers/scoring/test_scorer.py",
        "tests/customers/scoring/test_failures.py",
        "tests/customers/scoring/test_contention.py",
    ),
    "customers/scoring/claims.py": ("tests/customers/scoring/test_claims.py", "tests/customers/scoring/test_lives.py"),
    "customers/scoring/marks.py": (
        "tests/customers/scoring/test_claims.py",
        "tests/customers/scoring/test_lives.py",
        "tests/customers/scoring/test_contention.py",
        "tests/customers/scoring/test_failures.py",
        "tests/customers/scoring/test_requests.py",
        "tests/customers/admin/test_list.py",
    ),
    "customers/turns.py": ("tests/customers/test_turns.py",),
    "customers/releases/active.py": (
        "tests/customers/releases/test_active.py",
        "tests/customers/releases/test_reused_release.py",
    ),
    "customers/scoring/failures.py": (
        "tests/customers/scoring/test_failures.py",
        "tests/customers/scoring/test_dead_letters.py",
    ),
    "events/queue/lease.py": ("tests/events/queue/test_lease.py", "tests/events/queue/test_dispatch.py"),
    "events/triggers/rights.py": ("tests/security/test_database_attacks.py",),
    "events/triggers/definitions.py": (
        "tests/events/triggers/test_definitions.py",
        "tests/events/triggers/test_lives.py",
        "tests/events/triggers/test_repair.py",
    ),
}
