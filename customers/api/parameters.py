"""What may stand behind the question mark of an address: read and described by one table for each address."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]  # a JSON Schema, as OpenAPI has it

BOOLEANS = {"true": True, "false": False}


class WrongFieldsError(ValueError):
    """Fields that are wrong: ``expected`` says of each by its name what it should be."""

    def __init__(self, expected: Mapping[str, str]) -> None:
        super().__init__(", ".join(expected))
        self.expected = expected


@dataclass(frozen=True)
class Parameter:
    """One parameter: a whole number within bounds, one of some words, true or false, or a text."""

    schema: Schema
    description: str

    def read(self, text: str) -> Any:
        """The value that the text means. Raises ``ValueError``."""
        return READERS[self.schema["type"]](self.schema, text)

    @property
    def expected(self) -> str:
        """What the text should be, in words."""
        if "enum" in self.schema:
            return f"expected one of {', '.join(self.schema['enum'])}"
        if self.schema["type"] == "integer":
            return f"expected a whole number from {self.schema['minimum']} to {self.schema['maximum']}"
        if "maxLength" in self.schema:
            return f"expected a word of 1 to {self.schema['maxLength']} characters"
        return "expected true or false" if self.schema["type"] == "boolean" else "expected the next of an answer"


def read_integer(schema: Schema, text: str) -> int:
    # By length first: Python refuses to read thousands of digits.
    if not re.fullmatch("[0-9]{1,19}", text) or not schema["minimum"] <= int(text) <= schema["maximum"]:
        raise ValueError(text)
    return int(text)


def read_boolean(_schema: Schema, text: str) -> bool:
    if text not in BOOLEANS:
        raise ValueError(text)
    return BOOLEANS[text]


def read_string(schema: Schema, text: str) -> str:
    if text not in schema.get("enum", (text,)) or not re.fullmatch(schema.get("pattern", ".*"), text):
        raise ValueError(text)
    # A NUL, too: PostgreSQL knows no text with one.
    if not schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text)) or "\0" in text:
        raise ValueError(text)
    return text


READERS = {"integer": read_integer, "boolean": read_boolean, "string": read_string}


def whole_number(description: str, maximum: int, minimum: int = 1, **more: Any) -> Parameter:
    return Parameter({"type": "integer", "minimum": minimum, "maximum": maximum, **more}, description)


def one_of(words: Iterable[str], description: str) -> Parameter:
    return Parameter({"type": "string", "enum": list(words)}, description)


def parse_query(query: Mapping[str, str], parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """The values of the parameters that are there. Raises ``WrongFieldsError``, which names all that is wrong."""
    found, wrong = {}, {}
    for name, text in query.items():
        if name not in parameters:
            wrong[name] = no_such_field(parameters)
            continue
        try:
            found[name] = parameters[name].read(text)
        except ValueError:
            wrong[name] = parameters[name].expected
    if wrong:
        raise WrongFieldsError(wrong)
    return found


def no_such_field(fields: Iterable[str]) -> str:
    return f"no such field; expected one of {', '.join(fields)}"
