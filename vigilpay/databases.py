"""The databases of the settings: the one that everything uses, and a second login to it that stores scores."""

from typing import Any

from vigilpay import env, localdb

# A host that has vanished without a word is given up within some 15 s, and its database looked for anew; the address
# may say otherwise. Without meaning on a unix socket.
GIVE_UP_LOST_HOSTS = {
    "connect_timeout": "5",
    "tcp_user_timeout": "15000",
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "3",
}
OURS = {
    # A worker that reconnects for every job pays 26-36 ms for it; a connection that died is replaced unseen.
    "CONN_MAX_AGE": 600,
    "CONN_HEALTH_CHECKS": True,
    # A pooler may lend every statement another session, and a cursor of the server's stays with one.
    "DISABLE_SERVER_SIDE_CURSORS": True,
}


def addressed(url: str, *, direct_url: str = "", scorer_url: str = "") -> dict[str, dict[str, Any]]:
    """Django's DATABASES. Without a ``url``: the private server of this checkout.

    ``direct_url`` takes the place of a pooler's address; with ``scorer_url`` there is a database "scorer", too. Raises
    ``SettingError`` for an address that cannot be read.
    """
    if url and direct_url:
        default = connected(env.database_url(direct_url, name="VIGILPAY_DIRECT_DATABASE_URL"))
    else:
        default = connected(env.database_url(url) if url else localdb.local_server().connection_settings())
    if not scorer_url:
        return {"default": default}
    scorer = connected(env.database_url(scorer_url, name="VIGILPAY_SCORER_DATABASE_URL"))
    return {"default": default, "scorer": {**default, **scorer, "TEST": {"MIRROR": "default"}}}


def connected(address: dict[str, Any]) -> dict[str, Any]:
    """With what we add to every address."""
    options = {**GIVE_UP_LOST_HOSTS, **address.get("OPTIONS", {})}
    return {**address, "ENGINE": "django.db.backends.postgresql", "OPTIONS": options, **OURS}
