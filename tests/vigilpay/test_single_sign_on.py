"""The settings module that docs/operations.md shows works as it stands there, with a stand-in for the library."""

import json
import os
import re
import subprocess
import sys

from vigilpay.env import ROOT

STAND_IN = {
    "__init__.py": "",
    "auth.py": "class OIDCAuthenticationBackend:\n    def get_user(self, key):\n        return None\n",
    "urls.py": """
from django.http import HttpResponse
from django.urls import path
def begin(request):
    return HttpResponse("to the bank's login")
urlpatterns = [
    path("authenticate/", begin, name="oidc_authentication_init"),
    path("callback/", begin, name="oidc_authentication_callback"),
    path("logout/", begin, name="oidc_logout"),
]
""",
}
ASK = """
import django, json
django.setup()
from django.conf import settings
from django.test import Client
ask = Client(headers={"host": "localhost"}).get
pages = ("/oidc/authenticate/", "/oidc/callback/", "/oidc/logout/", "/customers/analyze/1/", "/", "/admin/")
print(json.dumps({
    "backends": settings.AUTHENTICATION_BACKENDS,
    "statuses": [ask(page, REMOTE_ADDR="203.0.113.9").status_code for page in pages],
}))
"""


def test_the_documented_settings_open_the_way_to_the_bank_s_login_and_no_other(tmp_path):
    settings, urls = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "docs/operations.md").read_text(), re.MULTILINE | re.DOTALL
    )
    (tmp_path / "bank_settings.py").write_text(settings)
    (tmp_path / "bank_urls.py").write_text(urls)
    (tmp_path / "mozilla_django_oidc").mkdir()
    for name, text in STAND_IN.items():
        (tmp_path / "mozilla_django_oidc" / name).write_text(text)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}", "DJANGO_SETTINGS_MODULE": "bank_settings"}
    done = subprocess.run([sys.executable, "-c", ASK], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["backends"][:2] == [
        *("axes.backends.AxesStandaloneBackend", "mozilla_django_oidc.auth.OIDCAuthenticationBackend")
    ]
    assert found["statuses"] == [200, 200, 403, 401, 200, 302]
