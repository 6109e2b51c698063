"""Staged words that the active model does not know, for the report of an import, with the word that may be meant."""

from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from shlex import quote
from unicodedata import combining, normalize

from customers.import_export.csv_files.cells import folded
from customers.models import CategoryAlias
from customers.presentation.numbers import format_count
from customers.sql import fetch_rows

Words = Mapping[str, Collection[str]]  # by field
Advice = Callable[[str, str, str], str]  # from the field, the word in the file and the one that may be meant

# What no likeness of letters finds. It is only offered: nothing is renamed without an alias.
NAMES_OF_COUNTRIES = {
    "France": ("fr", "fra", "frankreich", "francia", "frankrijk"),
    "Germany": ("de", "deu", "deutschland", "allemagne", "alemania", "germania", "duitsland"),
    "Spain": ("es", "esp", "espana", "espagne", "spanien", "spagna", "spanje"),
    "Italy": ("it", "ita", "italia", "italie", "italien"),
}
COUNTRY_OF = {name: country for country, names in NAMES_OF_COUNTRIES.items() for name in names}
LIKENESS = 0.75
WORDS_SHOWN = 10

# Of the good rows of a file; the commonest first.
COUNT_UNKNOWN = """
SELECT {field}, count(*) FROM customers_staging WHERE {field} <> ALL (%s) GROUP BY 1 ORDER BY 2 DESC, 1
"""


def describe_unknown_words(known: Words, advice: Advice) -> list[str]:
    """Lines for staff; none of a field without known words, as without a model."""
    return [line for field, words in known.items() if words for line in about_field(field, words, advice)]


def about_field(field: str, known: Collection[str], advice: Advice) -> list[str]:
    found = fetch_rows(COUNT_UNKNOWN.format(field=field), [list(known)])
    lines = [about_word(field, word, rows, known, advice) for word, rows in found[:WORDS_SHOWN]]
    if others := found[WORDS_SHOWN:]:
        words = format_count(len(others), "more word", "more words")
        rows = format_count(sum(rows for _, rows in others), "row", "rows")
        lines.append(f"{CategoryAlias.Field(field).label}: {words} that the active model does not know, in {rows}")
    return lines


def about_word(field: str, word: str, number: int, known: Collection[str], advice: Advice) -> str:
    rows = format_count(number, "row", "rows")
    line = f"{CategoryAlias.Field(field).label} {word}: {rows}; the active model does not know it"
    meant = close_word(word, known)
    return line if meant is None else f"{line}. Did you mean {meant}? {advice(field, word, meant)}"


def advise_operator(field: str, word: str, meant: str) -> str:
    """To whoever imports by a command."""
    option = "" if field == CategoryAlias.Field.COUNTRY else "--field gender "
    command = f"manage.py category_aliases {option}--add {quote(f'{word}={meant}')}"
    return f"If so, keep an alias ({command}) and import the file again"


def advise_uploader(field: str, word: str, meant: str) -> str:
    """To whoever uploads a file, and has no shell."""
    of_field = "" if field == CategoryAlias.Field.COUNTRY else f" for {CategoryAlias.Field(field).label.lower()}"
    return f"If so, add {word} = {meant}{of_field} under Category aliases and upload the file again."


def close_word(word: str, known: Collection[str]) -> str | None:
    """The known word that was probably meant."""
    by_plain = {without_accents(it): it for it in known}
    plain = without_accents(word)
    if COUNTRY_OF.get(plain) in known:
        return COUNTRY_OF[plain]
    close = get_close_matches(plain, by_plain, n=1, cutoff=LIKENESS)
    return by_plain[close[0]] if close else None


def without_accents(word: str) -> str:
    return "".join(it for it in normalize("NFKD", folded(word)) if not combining(it))
