"""Pieces of JSON Schema: what the JSON views take and answer, made from the code's own bounds and types."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from customers.api.validation import FLAGS, MOST_IDS
from customers.ml_service.schema import BOUNDS, CATEGORIES, FEATURES, LONGEST_WORD, WORD_FIELDS
from customers.models import LARGEST_CUSTOMER_ID
from customers.presentation.bands import BANDS

Schema = dict[str, Any]

ID: Schema = {"type": "integer", "minimum": 1, "maximum": LARGEST_CUSTOMER_ID}
SCORE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
MONEY: Schema = {"type": "string", "pattern": r"^[0-9]{1,13}\.[0-9]{2}$"}
BAND: Schema = {"type": "string", "enum": list(BANDS)}
TIME: Schema = {"type": "string", "format": "date-time"}
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
INTEGER: Schema = {"type": "integer"}
BOOLEAN: Schema = {"type": "boolean"}
ANYTHING: Schema = {}

SIMPLE: Mapping[Any, Schema] = {
    bool: BOOLEAN,
    int: INTEGER,
    float: NUMBER,
    str: TEXT,
    datetime: TIME,
    NoneType: {"type": "null"},
}


def object_of(properties: Mapping[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    """An object of these members and no other."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def list_of(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def schema_of(kind: Any) -> Schema:
    """The schema of values of this type: plain ones, lists, choices, and dataclasses of such."""
    if kind in SIMPLE:
        return SIMPLE[kind]
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return object_of({field.name: schema_of(hints[field.name]) for field in fields(kind)})
    match get_origin(kind):
        case origin if origin is list:
            return list_of(schema_of(get_args(kind)[0]))
        case origin if origin is Literal:
            return {"type": "string", "enum": list(get_args(kind))}
        case origin if origin is UnionType:
            return {"anyOf": [schema_of(it) for it in get_args(kind)]}
    raise TypeError(f"No schema is known of {kind}.")


def word_schema(name: str) -> Schema:
    """A word of the bank's own. Which words can be scored is a fact of the active model, and an example here."""
    return {"type": "string", "minLength": 1, "maxLength": LONGEST_WORD, "examples": list(CATEGORIES[name])}


def field_schema(name: str) -> Schema:
    """One of the nine fields, as the service takes it."""
    if name in WORD_FIELDS:
        return word_schema(name)
    if name in FLAGS:
        return {"enum": [True, False, 0, 1]}
    low, high, is_integral = BOUNDS[name]
    return {"type": "integer" if is_integral else "number", "minimum": float(low), "maximum": float(high)}


FIELDS: Schema = {name: field_schema(name) for name in FEATURES}
NINE_FIELDS = object_of(FIELDS)
SOME_FIELDS = object_of(FIELDS, optional=FEATURES)
NINE_NUMBERS = object_of(dict.fromkeys(FEATURES, NUMBER))
IDS = list_of(ID, minItems=1, maxItems=MOST_IDS)
