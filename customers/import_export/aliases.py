"""Words that the bank's files write otherwise than they are stored: the table that the bank keeps of them."""

from collections.abc import Iterable

from customers.import_export.csv_files.cells import folded
from customers.ml_service.schema import LONGEST_WORD, is_word
from customers.models import CategoryAlias


class AliasError(ValueError):
    """Why an alias can't be kept, for staff."""


def kept_aliases() -> dict[str, dict[str, str]]:
    """By field: what stands in files, and what is stored in its place."""
    aliases: dict[str, dict[str, str]] = {field: {} for field in CategoryAlias.Field.values}
    for field, written, meant in CategoryAlias.objects.values_list("field", "written", "meant"):
        aliases[field][written] = meant
    return aliases


def checked(field: str, written: str, meant: str, *, besides: int | None = None) -> tuple[str, str]:
    """Both words without needless spaces. AliasError says what keeps them from being an alias.

    ``besides`` is the key of the one that they replace.
    """
    written, meant = checked_word(written), checked_word(meant)
    if written == meant:
        raise AliasError(f"{written} is stored as it is. No alias is needed.")
    refuse_chains(written, meant, [it for it in CategoryAlias.objects.filter(field=field) if it.pk != besides])
    return written, meant


def checked_word(word: str) -> str:
    word = " ".join(word.split())
    if not word:
        raise AliasError("Enter both words: the word in files and the word to store.")
    if not is_word(word):
        raise AliasError(f"A word can have up to {LONGEST_WORD} characters and no control characters.")
    return word


def refuse_chains(written: str, meant: str, others: Iterable[CategoryAlias]) -> None:
    """Of each word in files there is one that is stored, in one step."""
    for other in others:
        if folded(other.written) == folded(written):
            raise AliasError(f"{other.written} is stored as {other.meant} already. Remove or change that alias first.")
        if folded(other.written) == folded(meant):
            raise AliasError(f"{meant} is itself stored as {other.meant}. Use {other.meant}.")
        if folded(other.meant) == folded(written):
            raise AliasError(f"{other.written} is stored as {other.meant}. Change that alias first.")
