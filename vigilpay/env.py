"""Typed readers for the environment: the only place that touches os.environ.

A variable that is set to nothing counts as not set. What can't be read stops the program at once, naming the variable
and what is expected. Values never appear in an error of `database_url`: they hold passwords.
"""

import math
import os
import re
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NoReturn
from urllib.parse import SplitResult, unquote, urlsplit
from zoneinfo import ZoneInfo

from psycopg.pq import Conninfo

from vigilpay.errors import ExplainedError

ROOT = Path(__file__).resolve().parent.parent
FLAGS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


class SettingError(ExplainedError):
    """An environment variable is missing or cannot be understood."""


def read_dotenv(path: Path) -> dict[str, str]:
    """KEY=VALUE lines; comments, blank lines, a leading `export` and quotes around the value are allowed."""
    found = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        stripped = line.strip().removeprefix("export ")
        if not stripped or stripped.startswith("#"):
            continue
        match = re.fullmatch(r"""([A-Za-z_]\w*)\s*=\s*(?:"(.*)"|'(.*)'|(.*?))(?:\s+#.*)?""", stripped)
        if match is None:
            raise SettingError(f"{path.name}, line {number}: expected KEY=VALUE.")
        found[match[1]] = match[2] or match[3] or match[4] or ""
    return found


def load_dotenv(path: Path, environment: MutableMapping[str, str]) -> None:
    """Adds what the file says; a variable that is really set wins."""
    if path.is_file():
        for name, value in read_dotenv(path).items():
            environment.setdefault(name, value)


def text(name: str, default: str | None = None) -> str:
    """The variable, or the default; without a default the variable is required."""
    value = os.environ.get(name, "").strip() or default
    if value is None:
        raise SettingError(f"{name} must be set.")
    return value


def child_environment(**variables: str) -> dict[str, str]:
    """The environment for a child, with these variables set."""
    return {**os.environ, **variables}


def flag(name: str, default: bool) -> bool:
    value = text(name, "")
    if value.lower() in FLAGS:
        return FLAGS[value.lower()]
    return default if not value else _refuse(name, value, "one of 1, true, yes, on, 0, false, no, off")


def integer(name: str, default: int, *, minimum: int | None = None, maximum: int | None = None) -> int:
    value = text(name, str(default))
    least = "" if minimum is None else f", at least {minimum}"
    most = "" if maximum is None else f", at most {maximum}"
    expected = f"a whole number{least}{most}"
    # int() alone would also take "1_000" and other scripts' digits.
    number = int(value) if re.fullmatch(r"[+-]?[0-9]{1,18}", value) else _refuse(name, value, expected)
    if (minimum is not None and number < minimum) or (maximum is not None and number > maximum):
        _refuse(name, value, expected)
    return number


def number(name: str, default: float, *, expected: str = "a number, 0 or more, such as 0.5") -> float:
    """A plain number, fractions allowed, never negative."""
    value = text(name, str(default))
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    return found if 0 <= found < math.inf else _refuse(name, value, expected)


# A duration: a plain number of seconds, fractions allowed, never negative.
seconds = partial(number, expected="a number of seconds, 0 or more, such as 0.5")


def share(name: str, default: float, *, below: float) -> float:
    """A part of a whole: 0 or more, and less than ``below``."""
    expected = f"a share from 0 to less than {below}, such as 0.05"
    found = number(name, default, expected=expected)
    return found if found < below else _refuse(name, text(name, str(default)), expected)


def thresholds(name: str, default: Sequence[float]) -> list[float]:
    """As many numbers as the default has, separated by commas: rising, above 0 and below 1."""
    value = text(name, ",".join(map(str, default)))
    expected = f"{len(default)} rising numbers between 0 and 1, such as {','.join(map(str, default))}"
    try:
        numbers = [float(part) for part in value.split(",")]
    except ValueError:
        _refuse(name, value, expected)
    # NaN is no larger than anything, so it fails as well.
    is_rising = all(lower < higher for lower, higher in pairwise([0.0, *numbers, 1.0]))
    return numbers if is_rising and len(numbers) == len(default) else _refuse(name, value, expected)


def bounds(name: str) -> dict[str, tuple[Decimal, Decimal]]:
    """Lowest and highest values by name: age=16-120,balance=-50000-1000000. Whether they can be is not asked here."""
    value = text(name, "")
    number = r"(-?[0-9]{1,15}(?:\.[0-9]{1,4})?)"
    parts = [re.fullmatch(f"([a-z_]+)={number}-{number}", part.strip()) for part in value.split(",") if part.strip()]
    found = {part[1]: (Decimal(part[2]), Decimal(part[3])) for part in parts if part}
    expected = "bounds by field, each once, such as age=16-120,num_of_products=1-20"
    return found if len(found) == len(parts) else _refuse(name, value, expected)


def choice(name: str, options: Iterable[str], default: str) -> str:
    value, allowed = text(name, default), list(options)
    return value if value in allowed else _refuse(name, value, f"one of {', '.join(allowed)}")


def words(name: str, default: Sequence[str] = (), *, among: Sequence[str] = ()) -> list[str]:
    """A list separated by commas; blanks around the words and empty words are dropped.

    With ``among`` each is one of these, and ``none`` stands for the empty list.
    """
    value = text(name, ",".join(default))
    found = [word.strip() for word in value.split(",") if word.strip()]
    if among and found == ["none"]:
        return []
    if among and not set(found) <= set(among):
        _refuse(name, value, f"none, or words of {', '.join(among)}, separated by commas")
    return found


def time_zone(name: str, default: str) -> str:
    """A zone of the IANA database, by its name."""
    value = text(name, default)
    try:
        return ZoneInfo(value).key
    except (ValueError, OSError, LookupError):  # a name with odd characters, a folder, and one that does not exist
        return _refuse(name, value, "the name of a time zone, such as Europe/Berlin")


def database_url(url: str, *, name: str = "DATABASE_URL") -> dict[str, object]:
    """Django's DATABASES entry for postgres://user:password@host:port,host:port/database?option=value.

    Several hosts are tried in their order, see libpq's target_session_attrs. A socket directory is given as
    ?host=/directory (or percent-encoded as the host). host, port, user, password and dbname in the query replace those
    of the address, as in libpq; every other option must be one of libpq's, and is handed to it.
    """
    if not re.match(r"postgres(ql)?://", url.strip(), re.IGNORECASE):
        raise SettingError(f"{name} must start with postgres:// or postgresql://: no other database is supported.")
    parts = _split(url.strip())
    login, _, address = parts.netloc.rpartition("@")
    places = [re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]*))?", place) for place in address.split(",")]
    if None in places or parts.fragment or "/" in parts.path[1:]:
        raise SettingError(
            f"{name} cannot be read: expected postgres://user:password@host:port/database, "
            "with special characters in user, password and database percent-encoded (/ as %2F, # as %23, @ as %40)."
        )
    found = [(unquote(place[1].strip("[]")), place[2] or "") for place in places if place]
    ports = [port for _, port in found]
    # Not parse_qsl: it turns + into a blank, libpq doesn't.
    pairs = (pair.partition("=") for pair in parts.query.split("&") if pair)
    options = {unquote(key): unquote(value) for key, _, value in pairs}
    user, _, password = login.partition(":")
    settings = {
        "NAME": options.pop("dbname", unquote(parts.path[1:])),
        "USER": options.pop("user", unquote(user)),
        "PASSWORD": options.pop("password", unquote(password)),
        # Not urlsplit's hostname: that lowers the case, which changes a socket directory.
        "HOST": options.pop("host", ",".join(host for host, _ in found)),
        "PORT": options.pop("port", ",".join(ports) if any(ports) else ""),
    }
    _check_options(name, options)
    _check_database(name, settings, options)
    return {"ENGINE": "django.db.backends.postgresql", **settings, "OPTIONS": options}


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # it quotes what it could not read, and that may be the password
        return SplitResult("", "[", "", "", "")


def _check_database(name: str, settings: Mapping[str, str], options: Mapping[str, str]) -> None:
    if not settings["NAME"] and "service" not in options:
        raise SettingError(f"{name} names no database: expected postgres://user:password@host:port/database.")
    ports = settings["PORT"].split(",")
    if not all(port == "" or (re.fullmatch(r"[0-9]{1,5}", port) and 1 <= int(port) <= 65535) for port in ports):
        raise SettingError(f"{name} cannot be read: the port must be a number from 1 to 65535.")
    hosts = settings["HOST"].split(",")
    if len(ports) not in (1, len(hosts)):
        raise SettingError(
            f"{name} has {len(hosts)} hosts and {len(ports)} ports: give each host its port, or all one."
        )


# What libpq would refuse at every attempt to connect, so that a worker would try for ever.
_NUMBERS = (
    *("connect_timeout", "tcp_user_timeout"),
    *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
)
_CHOICES = {
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "load_balance_hosts": ("disable", "random"),
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
}


def _check_options(name: str, options: Mapping[str, str]) -> None:
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    for option, value in options.items():
        if option == "pgbouncer":
            raise SettingError(
                f"{name} has the parameter pgbouncer, which is Prisma's and not PostgreSQL's. Remove it: web pages "
                "work behind a pooler as they are, the worker needs the server's own address (docs/maintenance.md)."
            )
        if option not in known:
            named = repr(option) if re.fullmatch(r"[A-Za-z_]{1,30}", option) else "that cannot be read"
            raise SettingError(f"{name} has a parameter {named}, which PostgreSQL does not know: remove it.")
        if option in _NUMBERS and not re.fullmatch(r"-?[0-9]{1,9}", value):
            raise SettingError(f"{name} has a parameter {option} that is no whole number.")
        if value not in _CHOICES.get(option, (value,)):
            raise SettingError(f"{name} has a parameter {option} that is none of {', '.join(_CHOICES[option])}.")


def _refuse(name: str, value: str, expected: str) -> NoReturn:
    raise SettingError(f"{name} is {value!r}: expected {expected}.")


load_dotenv(ROOT / ".env", os.environ)
