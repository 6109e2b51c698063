"""A field for a word of the bank's own: free text, with the words that the model knows offered in a list."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.widgets import AdminTextInputWidget
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.ml_service.schema import LONGEST_WORD


class WordInput(AdminTextInputWidget):
    """A text field with a <datalist>: browsers offer its words, and take any other."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__({"maxlength": LONGEST_WORD})
        self.words = words

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        offered = f"{(attrs or {}).get('id') or f'id_{name}'}_words"
        field = super().render(name, value, {**(attrs or {}), "list": offered}, renderer)
        options = format_html_join("", '<option value="{}"></option>', ((word,) for word in self.words))
        return format_html('{}<datalist id="{}">{}</datalist>', field, offered, options)
