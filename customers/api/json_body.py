"""The body of a request: one JSON object, of a bounded size."""

import json
from decimal import Decimal

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, UnreadablePostError

MOST_BYTES = 16_384
NO_WHOLE_NUMBER_OF_OURS = 2.0**63


class BodyError(Exception):
    """A body that is not read any further, with the HTTP status that says so."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def json_object(request: HttpRequest, *, most_bytes: int = MOST_BYTES) -> dict[str, object]:
    """The object in the body of this request. Raises ``BodyError``."""
    # A page elsewhere can have a browser send forms and text here with the user's session, but not this type.
    if request.content_type != "application/json":
        raise BodyError(415, "Send the body as JSON, with Content-Type: application/json.")
    body = read_chunks(request, most_bytes) if is_chunked(request) else read_body(request)
    if body is None or len(body) > most_bytes:
        raise BodyError(413, f"The body is longer than {most_bytes} bytes.")
    try:
        found = json.loads(body, parse_float=number)
    except (ValueError, RecursionError):  # what json makes of text that is no JSON, no UTF-8, or nested without end
        raise BodyError(400, "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise BodyError(400, "The body must be a JSON object, in braces.")
    return found


def number(text: str) -> float:
    """What JSON writes with a point or an exponent: 41.0 is a whole number, as JSON Schema has it."""
    nearest = float(text)
    if abs(nearest) >= NO_WHOLE_NUMBER_OF_OURS:  # an exponent may ask for more digits than there is memory
        return nearest
    exact = Decimal(text)
    return int(exact) if exact == int(exact) else nearest


def read_body(request: HttpRequest) -> bytes | None:
    """A body whose length was told; None when that is beyond what Django reads into memory."""
    try:
        return request.body
    except RequestDataTooBig:
        return None
    except UnreadablePostError:
        raise BodyError(400, "The body ended early.") from None


def is_chunked(request: HttpRequest) -> bool:
    """Whether the body comes in chunks, without its length: Django would take it for empty."""
    return "CONTENT_LENGTH" not in request.META and "HTTP_TRANSFER_ENCODING" in request.META


def read_chunks(request: HttpRequest, most_bytes: int) -> bytes:
    """The body, or a little more than is allowed of it. Only a server that puts the chunks together can end it."""
    if not request.META.get("wsgi.input_terminated"):
        raise BodyError(411, "Send the length of the body: this server takes no chunks.")
    try:
        return bytes(request.META["wsgi.input"].read(most_bytes + 1))
    except Exception:  # each server has its own for chunks that are none, or end early
        raise BodyError(400, "The chunks of the body cannot be read.") from None
