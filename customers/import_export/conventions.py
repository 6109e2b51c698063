"""How this bank's files differ from the public layout: its names of columns, its words, and those of its model."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from customers.import_export.aliases import kept_aliases
from customers.import_export.csv_files.cells import check_word
from customers.import_export.csv_files.columns import Columns
from customers.import_export.mapping import with_mapping
from customers.import_export.unknown_words import Words
from customers.ml_service.schema import WORD_FIELDS
from customers.models import ModelRelease
from customers.releases.words import known_words


@dataclass(frozen=True)
class Conventions:
    """``aliases`` are by field; ``known`` are the words of the active model, by field, none without a model."""

    mapping: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    known: Words = field(default_factory=dict)

    def of(self, columns: Columns) -> Columns:
        """The columns of a kind of file as this bank writes it."""
        words = {
            name: check_word(name, tuple(self.known.get(name, ())), self.aliases.get(name, {}))
            for name in WORD_FIELDS
            if name in columns.checks
        }
        return with_mapping(replace(columns, checks={**columns.checks, **words}), self.mapping)

    def as_json(self) -> dict[str, Any]:
        known = {name: sorted(words) for name, words in self.known.items()}
        return {"mapping": dict(self.mapping), "aliases": dict(self.aliases), "known": known}


def conventions_of_bank(mapping: Mapping[str, str] | None = None) -> Conventions:
    """As the bank has them now."""
    return Conventions(mapping or {}, kept_aliases(), words_of_active_release())


def words_of_active_release() -> dict[str, tuple[str, ...]]:
    """Of each field; none before the first release."""
    if ModelRelease.objects.active() is None:
        return {}
    known = known_words()
    return {name: known.words(name) for name in WORD_FIELDS}
