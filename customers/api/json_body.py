"""The body of a request: one JSON object, of a bounded size."""

import json

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest

MOST_BYTES = 16_384


class BodyError(Exception):
    """A body that is not read any further, with the HTTP status that says so."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def json_object(request: HttpRequest) -> dict[str, object]:
    """The object in the body of this request. Raises ``BodyError``."""
    # A page elsewhere can have a browser send forms and text here with the user's session, but not this type.
    if request.content_type != "application/json":
        raise BodyError(415, "Send the body as JSON, with Content-Type: application/json.")
    try:
        body = request.body
    except RequestDataTooBig:
        body = None
    if body is None or len(body) > MOST_BYTES:
        raise BodyError(413, f"The body is longer than {MOST_BYTES} bytes.")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):  # what json makes of text that is no JSON, no UTF-8, or nested without end
        raise BodyError(400, "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise BodyError(400, "The body must be a JSON object, in braces.")
    return found
