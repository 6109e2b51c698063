"""The one shape of JSON answers: what went wrong stands under ``error``."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], JsonResponse]


def error(status: int, reason: str, **headers: str) -> JsonResponse:
    """A JSON answer that says what went wrong and what to do."""
    return JsonResponse({"error": reason}, status=status, headers=headers)


def wrong_fields(expected: Mapping[str, str]) -> JsonResponse:
    """A JSON answer that names every field that is wrong, with what is expected of it."""
    return JsonResponse(
        {"error": f"Wrong: {', '.join(expected)}. See fields for what is expected.", "fields": expected}, status=422
    )


def reads_only(view: View[P]) -> View[P]:
    """Answer GET and HEAD alone."""
    return answering(("GET", "HEAD"), view)


def posts_only(view: View[P]) -> View[P]:
    """Answer POST alone: for what changes something, and for questions that are too long for an address."""
    return answering(("POST",), view)


def answering(methods: tuple[str, ...], view: View[P]) -> View[P]:
    """Answer these methods alone; Django's own decorator would say 405 in HTML."""

    def answer(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> JsonResponse:
        if request.method in methods:
            return view(request, *args, **kwargs)
        return error(405, f"{request.method} is not allowed here; use {methods[0]}.", Allow=", ".join(methods))

    # A page elsewhere can't forge a POST that is answered: it could not send JSON. Without the exemption a program's
    # POST would be told 403, and 403 instead of 405 where no POST is answered.
    return cast("View[P]", csrf_exempt(wraps(view)(answer)))
