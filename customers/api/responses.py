"""The one shape of JSON answers: what went wrong stands under ``error``."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.http import HttpRequest, JsonResponse

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], JsonResponse]


def error(status: int, reason: str, **headers: str) -> JsonResponse:
    """A JSON answer that says what went wrong and what to do."""
    return JsonResponse({"error": reason}, status=status, headers=headers)


def database_is_away() -> JsonResponse:
    """The answer while PostgreSQL can't be reached."""
    return error(503, "The database cannot be reached at this moment; try again.", **{"Retry-After": "5"})


def wrong_fields(expected: Mapping[str, str]) -> JsonResponse:
    """A JSON answer that names every field that is wrong, with what is expected of it."""
    return JsonResponse(
        {"error": f"Invalid: {', '.join(expected)}. See fields for what is expected.", "fields": expected}, status=422
    )


def reads_only(view: View[P]) -> View[P]:
    """Answer GET and HEAD alone."""
    return answering(("GET", "HEAD"), view)


def posts_only(view: View[P]) -> View[P]:
    """Answer POST alone. A session needs a CSRF token with it, a service token none."""
    return answering(("POST",), view)


def answering(methods: tuple[str, ...], view: View[P]) -> View[P]:
    """Answer these methods alone; Django's own decorator would say 405 in HTML."""

    def answer(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> JsonResponse:
        if request.method in methods:
            return view(request, *args, **kwargs)
        return error(405, f"{request.method} is not allowed here; use {methods[0]}.", Allow=", ".join(methods))

    # Read by vigilpay/web/access.py: a method that is not among them does nothing, so it needs neither a permission nor
    # a CSRF token to be told 405.
    answer.methods = methods  # type: ignore[attr-defined]
    return cast("View[P]", wraps(view)(answer))
