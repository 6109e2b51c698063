"""The words of reasons in the languages that we ship."""

import pytest
from django.conf import settings
from django.utils.translation import gettext, override

from customers.ml_service.reason_codes import PART_NAMES, TABLE

MESSAGES = {*PART_NAMES.values(), *(words for reason in TABLE for words in (reason.label, reason.sentence))}
LANGUAGES = [code for code, _name in settings.LANGUAGES if code != "en"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_translated_and_keeps_its_placeholders(language):
    with override(language):
        for message in MESSAGES:
            translated = gettext(message)
            assert translated != message, f"{message!r} is not translated; after that: manage.py compilemessages"
            for placeholder in ("%(value)s", "%(points)s"):
                assert (placeholder in translated) == (placeholder in message)
