"""Entry point of web servers: ``gunicorn vigilpay.wsgi``."""

import os

from django.core.wsgi import get_wsgi_application

from vigilpay import localdb, settings  # noqa: F401  a wrong environment is refused before anything is started

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vigilpay.settings")
localdb.ensure_started()
application = get_wsgi_application()
