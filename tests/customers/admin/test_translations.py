"""The words of reasons and suggestions in the languages that we ship."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.utils.translation import gettext, override

from customers import ml_service

LANGUAGES = [code for code, _name in settings.LANGUAGES if code != "en"]
PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def marked(source):
    """All messages that a file marks for translation."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "gettext_noop"):
            yield ast.literal_eval(node.args[0])


MESSAGES = [message for source in Path(ml_service.__file__).parent.rglob("*.py") for message in marked(source)]


def test_there_are_messages():
    assert len(MESSAGES) > 50


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("message", MESSAGES)
def test_every_message_is_translated_and_keeps_its_placeholders(language, message):
    with override(language):
        translated = gettext(message)
    assert translated != message, "translate it in customers/locale, then: manage.py compilemessages"
    assert sorted(PLACEHOLDER.findall(translated)) == sorted(PLACEHOLDER.findall(message))
