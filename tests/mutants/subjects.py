"""The modules that are tried, and the tests that are theirs."""

SUBJECTS: dict[str, tuple[str, ...]] = {
    "customers/scoring.py": ("tests/customers/test_scoring.py",),
    "customers/claims.py": ("tests/customers/test_claims.py",),
    "customers/releases.py": ("tests/customers/test_releases.py",),
    "customers/failures.py": ("tests/customers/test_failures.py",),
}
