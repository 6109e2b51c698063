"""A signed HTTP request on alerts: Standard Webhooks (github.com/standard-webhooks/standard-webhooks).

The receiver knows by the signature who sent it, by the time that it is no replay, by the id what came twice.
"""

import hmac
import json
import ssl
from base64 import b64decode, b64encode
from contextlib import suppress
from hashlib import sha256
from http.client import HTTPConnection, HTTPSConnection
from socket import SHUT_RDWR
from threading import Timer
from time import time
from urllib.parse import SplitResult, unquote, urlsplit

from django.conf import settings
from django.utils.encoding import iri_to_uri

from events.alerts import outbox
from events.alerts.outbox import DeliveryError
from events.models.alerts import Delivery

ENCODED_SECRET = "whsec_"  # noqa: S105  the mark of the standard in front of a secret, not one


def is_configured() -> bool:
    return bool(settings.WEBHOOK_URL and settings.WEBHOOK_SECRET)


def send(delivery: Delivery) -> None:
    """Post it; raises unless the receiver answers that it has taken it. A redirect is not followed."""
    if not is_configured():
        raise DeliveryError("VIGILPAY_WEBHOOK_URL and VIGILPAY_WEBHOOK_SECRET are not both set.")
    rule, alerts = delivery.rule, list(outbox.alerts_of(delivery))
    payload = {
        "type": "alerts.raised",
        "timestamp": delivery.created_at.isoformat(),
        "data": {
            "rule": {"id": rule.pk, "name": rule.name, "kind": rule.kind},
            "count": len(alerts),
            "alerts": [
                {
                    "id": alert.pk,
                    "customer_id": alert.customer_id,
                    "score": alert.score,
                    "score_before": alert.score_before,
                    "raised_at": alert.raised_at.isoformat(),
                }
                for alert in alerts
            ],
        },
    }
    body = json.dumps(payload, separators=(",", ":")).encode()
    url = split(settings.WEBHOOK_URL)
    key, timestamp = str(delivery.key), int(time())
    headers = {
        **login(url),
        "Content-Type": "application/json",
        "User-Agent": "VigilPay",
        "webhook-id": key,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(settings.WEBHOOK_SECRET, key, timestamp, body),
    }
    status = post(url, body, headers)
    if not 200 <= status < 300:
        raise DeliveryError(
            f"The receiver answered {status}{': a redirect, which is not followed' * (status // 100 == 3)}."
        )


def split(url: str) -> SplitResult:
    """The parts of an address that may be called, path and query as they are sent: in ASCII."""
    schemes = ["https"] if settings.PRODUCTION else ["https", "http"]
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")  # refuses what no name server can be asked for
        is_good = parts.scheme in schemes and host and parts.port != 0 and url.isprintable()
    except ValueError:  # it quotes what it could not read, and that may hold a secret
        is_good = False
    if not is_good or " " in url:
        raise DeliveryError(f"VIGILPAY_WEBHOOK_URL must be an address that begins with {' or '.join(schemes)}://")
    if "#" in url:
        raise DeliveryError("VIGILPAY_WEBHOOK_URL has a #, and what follows it is never sent: write %23 instead.")
    login(parts)
    return parts._replace(path=iri_to_uri(parts.path), query=iri_to_uri(parts.query))


def login(url: SplitResult) -> dict[str, str]:
    """The header for the name and password that stand in front of the host, if any do (RFC 7617)."""
    if not url.username and not url.password:
        return {}
    try:
        name, password = unquote(url.username or "", errors="strict"), unquote(url.password or "", errors="strict")
    except UnicodeDecodeError:
        name = ":"
    if ":" in name:
        raise DeliveryError(
            "The login in VIGILPAY_WEBHOOK_URL must be user:password, percent-encoded, with no colon in the user."
        ) from None
    return {"Authorization": f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"}


def post(url: SplitResult, body: bytes, all_headers: dict[str, str]) -> int:
    """The status of the answer, whose text is not read."""
    host, seconds = url.hostname or "", settings.WEBHOOK_TIMEOUT_SECONDS
    connection = (
        HTTPSConnection(host, url.port, timeout=seconds, context=ssl.create_default_context())
        if url.scheme == "https"
        else HTTPConnection(host, url.port, timeout=seconds)
    )
    # The timeout of a socket begins anew with every byte; a receiver may send one at a time.
    the_end = Timer(2 * seconds, hang_up, [connection])
    the_end.start()
    try:
        connection.request("POST", f"{url.path or '/'}{url.query and '?'}{url.query}", body, all_headers)
        return connection.getresponse().status
    finally:
        the_end.cancel()
        connection.close()


def hang_up(connection: HTTPConnection) -> None:
    with suppress(OSError, AttributeError):  # it may just be over, or not have begun
        connection.sock.shutdown(SHUT_RDWR)


def signature(secret: str, key: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over id, time and body, joined by dots."""
    signed = f"{key}.{timestamp}.".encode() + body
    return f"v1,{b64encode(hmac.digest(key_bytes(secret), signed, sha256)).decode()}"


def key_bytes(secret: str) -> bytes:
    """A secret in the standard's spelling stands for the bytes that it encodes, any other for itself."""
    return b64decode(secret.removeprefix(ENCODED_SECRET)) if secret.startswith(ENCODED_SECRET) else secret.encode()
