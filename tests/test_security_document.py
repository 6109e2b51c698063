"""SECURITY.md names tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = (ROOT / "SECURITY.md").read_text()
ROWS = [row for row in re.findall(r"^\| (.*) \|$", DOCUMENT, re.MULTILINE) if not row.startswith(("threat ", "--"))]


def named(row):
    return re.findall(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", row.split(" | ")[-1])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split(" | ")[0])
def test_each_defence_has_a_test_that_exists(row):
    assert named(row)
    for path, name in named(row):
        text = (ROOT / path).read_text()
        assert not name or re.search(rf"^\s*def {name}\(", text, re.MULTILINE), f"{path}::{name}"


def test_the_threats_that_it_must_speak_of_have_a_part_each():
    parts = " ".join(re.findall(r"^### (.*)$", DOCUMENT, re.MULTILINE)).lower()
    for part in ("pickle", "triggers and functions", "keys", "csv", "personal data"):
        assert part in parts


def test_links_lead_somewhere():
    assert [link for link in re.findall(r"\]\(([^)#:]+)\)", DOCUMENT) if not (ROOT / link).exists()] == []
