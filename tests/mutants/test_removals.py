"""The mutants of ``make mutants``: each lacks one statement, and is a program still."""

import ast
from textwrap import dedent

import pytest

from tests.mutants.bench import ROOT
from tests.mutants.removals import removals
from tests.mutants.subjects import SUBJECTS

SOURCE = dedent(
    '''
    LIMIT = 1

    def claim(rows):
        """Not a statement that does anything."""
        global LIMIT
        for row in rows:
            if row:
                LIMIT = len(
                    rows
                )
        log("done")  # unseen: a line of the log
        # unseen: rows are never none
        rows.clear()
        return rows
    '''
).lstrip()


def test_each_statement_of_a_function_is_removed_once():
    assert [removal.text for removal in removals(SOURCE)] == [
        "for row in rows:",
        "if row:",
        "LIMIT = len(",
        'log("done")  # unseen: a line of the log',
        "rows.clear()",
        "return rows",
    ]


def test_what_stands_around_a_removed_statement_stays_where_it_is():
    mutant = next(each for each in removals(SOURCE) if each.text.startswith("LIMIT")).applied_to(SOURCE)
    assert "            pass\n\n\n    log(" in mutant
    assert len(mutant.splitlines()) == len(SOURCE.splitlines())


def test_a_comment_argues_for_the_one_statement_that_it_stands_beside():
    assert [removal.text for removal in removals(SOURCE) if removal.is_argued] == [
        'log("done")  # unseen: a line of the log',
        "rows.clear()",
    ]


@pytest.mark.parametrize("module", SUBJECTS)
def test_every_mutant_is_a_program(module):
    source = (ROOT / module).read_text()
    found = removals(source)
    assert found
    for removal in found:
        ast.parse(removal.applied_to(source))


def test_the_tests_of_each_module_are_there():
    assert all((ROOT / test).is_file() for tests in SUBJECTS.values() for test in tests)


TRIGGER = dedent(
    """
    BODY = f\"\"\"
    DECLARE
        ids bigint[];
    BEGIN
        NEW.version := 1;
        IF NEW.stale_since IS NULL THEN
            NEW.stale_since :=
                now();
            RETURN NEW;
        END IF;
        {NOTIFY}
        NEW.edited_at := NULL;
        RETURN NEW;
    END
    \"\"\"
    """
).lstrip()


def test_a_statement_of_a_trigger_is_removed_where_it_is_one_line():
    assert [removal.text for removal in removals(TRIGGER)] == ["NEW.version := 1;", "NEW.edited_at := NULL;"]
    assert "    NULL;\n    IF NEW" in removals(TRIGGER)[0].applied_to(TRIGGER)
