"""The one shape of JSON answers: what went wrong stands under ``error``."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], JsonResponse]


def error(status: int, reason: str, **headers: str) -> JsonResponse:
    """A JSON answer that says what went wrong and what to do."""
    return JsonResponse({"error": reason}, status=status, headers=headers)


def reads_only(view: View[P]) -> View[P]:
    """Answer GET and HEAD alone; Django's own decorator would say 405 in HTML."""

    def answer(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> JsonResponse:
        if request.method in ("GET", "HEAD"):
            return view(request, *args, **kwargs)
        return error(405, f"{request.method} is not allowed here; use GET.", Allow="GET, HEAD")

    # Nothing here can be forged: without the exemption a POST would be told 403 instead.
    return cast("View[P]", csrf_exempt(wraps(view)(answer)))
