"""No text that staff can meet has a word that they should not meet: one test for each module."""

from textwrap import dedent

import pytest

from tests.staff_words import ROOT, files, main, texts_of

MODULES = [path.relative_to(ROOT).as_posix() for path in files()]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_uses_the_words_of_the_bank_alone(module):
    wrong = {(text.line, text.words): text.forbidden for text in texts_of((ROOT / module).read_text())}
    assert {where: found for where, found in wrong.items() if found} == {}


def words_of(source):
    return [text.words for text in texts_of(dedent(source))]


def test_texts_are_found_wherever_staff_meet_them():
    assert words_of('''
        """Not a docstring."""
        log.warning("Not a log line either, %s", 1)
        query = "SELECT not_this FROM statement"
        name = "not_this"

        class State(models.TextChoices):
            OPEN = "open"
            DONE = "done", "over"

        age = models.IntegerField("years", help_text="Since birth.")
        title = "Movers"

        @admin.display(description="Risk")
        def risk(self, customer):
            """Nor this."""
            self.message_user(request, f"Scored: {number(customer) or 'no score yet'}.")
            raise CommandError("Stopped.") if customer else ValidationError("Wrong", code="not_this")
    ''') == [
        *("open", "over", "years", "Since birth.", "Movers", "Risk"),
        *("Scored: {}.", "no score yet", "Stopped.", "Wrong"),
    ]


@pytest.mark.parametrize(
    "words", ["Somebody else was faster.", "It is he.", "Of late, 3 customers.", "Dead letters", "The drain ended."]
)
def test_a_forbidden_word_is_found(words):
    [text] = texts_of(f"raise CommandError({words!r})")
    assert text.forbidden


@pytest.mark.parametrize("words", ["The `tenure` of row 3", 'The column "geography"', "There, then, history, sheet"])
def test_a_name_of_the_code_in_quotes_and_longer_words_are_not(words):
    [text] = texts_of(f"raise CommandError({words!r})")
    assert not text.forbidden


def test_the_script_lists_them_by_module(capsys):
    main()
    shown = capsys.readouterr().out
    assert "\ncustomers/admin/imports.py\n" in shown
    assert "Download as CSV, with line numbers and reasons" in shown
