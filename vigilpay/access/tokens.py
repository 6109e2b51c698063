"""Tokens of programs: made, found by what a request shows, and revoked.

A secret is 256 random bits. The table has its SHA-256 alone, which needs no salt and no slow hash: there is nothing to
guess. It is found by that digest in an index, so that the time of an answer tells nothing of a secret.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from vigilpay.access.models import ServiceToken

PREFIX = "vp_"  # by which scanners for leaked secrets, and people, know it
SECRET_BYTES = 32
DEFAULT_DAYS = 90
NOTE_USE_EVERY = timedelta(minutes=1)


class InvalidTokenError(Exception):
    """The request shows a token that is unknown, expired or revoked: which of them is not told."""


def new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def make(name: str, scopes: list[str], *, expires_at: datetime, created_by: str) -> tuple[ServiceToken, str]:
    """A new token and its secret, which can't be read again."""
    secret = new_secret()
    token = ServiceToken.objects.create(
        name=name, scopes=scopes, expires_at=expires_at, created_by=created_by, digest=digest_of(secret)
    )
    return token, secret


def shown_by(request: HttpRequest) -> str | None:
    """The secret in the request's header ``Authorization: Bearer``; None without one."""
    scheme, _, secret = request.headers.get("Authorization", "").strip().partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def find(secret: str) -> ServiceToken:
    """The token of this secret, with its use noted. Raises ``InvalidTokenError``."""
    token = ServiceToken.objects.filter(digest=digest_of(secret)).first()
    if token is None or token.state != "active":
        raise InvalidTokenError
    note_use(token)
    return token


def note_use(token: ServiceToken) -> None:
    """At most once a minute, whatever a program asks: in between no request writes."""
    if not token.was_used_within(NOTE_USE_EVERY):
        now = timezone.now()
        unnoted = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - NOTE_USE_EVERY)
        ServiceToken.objects.filter(unnoted, pk=token.pk).update(last_used_at=now)


def revoke(ids: list[int]) -> list[ServiceToken]:
    """End these from now on; those that were not revoked before."""
    ended = list(ServiceToken.objects.filter(pk__in=ids, revoked_at__isnull=True))
    ServiceToken.objects.filter(pk__in=[token.pk for token in ended]).update(revoked_at=timezone.now())
    return ended
