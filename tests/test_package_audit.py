"""What ``make audit-packages`` makes of pip-audit's answers; the data themselves are the world's."""

import pytest

from tests import package_audit

WEAK = {"id": "PYSEC-1", "fix_versions": ["2.1"], "aliases": [], "description": ""}


def answer(*vulns):
    return {
        "dependencies": [{"name": "django", "version": "2.0", "vulns": list(vulns)}, {"name": "x", "skip_reason": "y"}]
    }


@pytest.mark.parametrize(
    ("answers", "status", "said"),
    [
        ([answer(), answer()], 0, "No published weakness in the pinned packages.\n"),
        ([answer(WEAK), answer(WEAK)], 1, "django 2.0: PYSEC-1, mended in 2.1\n"),
        ([answer(), None], 2, ""),
    ],
    ids=["none", "one", "unknown"],
)
def test_status_and_words(answers, status, said, monkeypatch, capsys):
    monkeypatch.setattr(package_audit, "audited", lambda lock: answers.pop())
    assert package_audit.main() == status
    written = capsys.readouterr()
    assert written.out == said
    assert written.err == (package_audit.NOT_CHECKED if status == 2 else "")


@pytest.mark.parametrize("text", ["", "ERROR: no network", "[]"])
def test_what_is_no_answer_is_none(text):
    assert package_audit.read(text) is None
