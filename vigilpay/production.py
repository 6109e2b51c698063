"""What production refuses to start with. In the settings and not in a check of Django's, since gunicorn runs none."""

from collections.abc import Sequence

from vigilpay.env import SettingError

KEY_CHARACTERS = 50
# Even fifty random digits have ten; "aaa..." and the like have fewer.
KEY_DISTINCT = 10
MAKE_A_KEY = "python -c 'import secrets; print(secrets.token_urlsafe(50))' makes one"


def refuse_weak(secret_key: str, allowed_hosts: Sequence[str], *, debug: bool, api_login: bool) -> None:
    """Raise a ``SettingError`` for the first that would open a door. The key itself is never quoted."""
    if not api_login:
        raise SettingError("VIGILPAY_API_LOGIN is off: all customers could be read without a login. Remove it.")
    if debug:
        raise SettingError("VIGILPAY_DEBUG is on: its pages show settings and customers. Remove it.")
    if len(secret_key) < KEY_CHARACTERS:
        raise SettingError(f"SECRET_KEY has fewer than {KEY_CHARACTERS} characters: {MAKE_A_KEY}.")
    if len(set(secret_key)) < KEY_DISTINCT or secret_key.startswith("django-insecure-"):
        raise SettingError(f"SECRET_KEY can be guessed: {MAKE_A_KEY}.")
    if any(host.strip() in ("*", ".") for host in allowed_hosts):
        raise SettingError("ALLOWED_HOSTS allows every name: list the names of this site.")
