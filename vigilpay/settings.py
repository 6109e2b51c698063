"""The one settings file. Every value that differs between machines comes from the environment: see .env.example."""

import sys
from datetime import timedelta
from pathlib import Path

from customers.ml_service.schema import FEATURES
from vigilpay import databases, env, production
from vigilpay.processes import logs
from vigilpay.secret import local_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent

# --- mode: one variable decides what production refuses --------------------------------------------------------------
ENVIRONMENT = env.choice("VIGILPAY_ENV", ["development", "production"], default="development")
PRODUCTION = ENVIRONMENT == "production"

DEBUG = env.flag("VIGILPAY_DEBUG", default=False)
SECRET_KEY = (
    env.text("SECRET_KEY")
    if PRODUCTION
    else env.text("SECRET_KEY", default="") or local_secret_key(BASE_DIR / ".local")
)
# Former keys, while a new one takes over: docs/maintenance.md.
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
if PRODUCTION:
    env.text("ALLOWED_HOSTS")  # no default there: the operator says under which names
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", default=[])

# --- who is let in: docs/access.md -----------------------------------------------------------------------------------
API_LOGIN_REQUIRED = env.flag("VIGILPAY_API_LOGIN", default=PRODUCTION)
if PRODUCTION:
    production.refuse_weak(SECRET_KEY, ALLOWED_HOSTS, debug=DEBUG, api_login=API_LOGIN_REQUIRED)
# Names of further addresses that need neither login nor token, for a bank's own settings module: docs/operations.md.
OPEN_ADDRESSES: list[str] = []
CSRF_FAILURE_VIEW = "vigilpay.web.error_pages.csrf_failure"
# A login ends after a working day, and after a break without a request: vigilpay/access/time_limits.py.
SESSION_COOKIE_AGE = env.integer("VIGILPAY_SESSION_SECONDS", default=36000, minimum=60)
SESSION_IDLE_SECONDS = env.integer("VIGILPAY_SESSION_IDLE_SECONDS", default=1800, minimum=60)
# Logins that fail, counted by django-axes for each account and each address: vigilpay/access/logins.py.
AXES_FAILURE_LIMIT = env.integer("VIGILPAY_LOGIN_FAILURES", default=5, minimum=1)
LOGIN_FAILURES_PER_ADDRESS = env.integer("VIGILPAY_LOGIN_FAILURES_PER_ADDRESS", default=20, minimum=1)
AXES_COOLOFF_TIME = timedelta(seconds=env.integer("VIGILPAY_LOGIN_LOCK_SECONDS", default=900, minimum=1))
AXES_HANDLER = "vigilpay.access.logins.LoginHandler"
AXES_LOCKOUT_PARAMETERS = ["username", "ip_address"]  # LoginHandler relies on this order
AXES_LOCKOUT_CALLABLE = "vigilpay.web.login_page.answer_locked"
AXES_CLIENT_IP_CALLABLE = "vigilpay.access.addresses.client_address"
AXES_RESET_ON_SUCCESS, AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = True, False
AXES_ENABLE_ADMIN = AXES_VERBOSE = False
AXES_DISABLE_ACCESS_LOG = True
# Single sign-on, or a second factor: docs/operations.md.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    *env.words("VIGILPAY_LOGIN_BACKENDS", default=[]),
    "django.contrib.auth.backends.ModelBackend",
]

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", default=PRODUCTION)
SECURE_REDIRECT_EXEMPT = [r"^health/"]  # probes come past the proxy
SECURE_HSTS_SECONDS = env.integer("SECURE_HSTS_SECONDS", default=31536000 if PRODUCTION else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.flag("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=PRODUCTION)
# The browsers' own list takes whole domains, which are the bank's to enter: the check that asks for it is silent.
SECURE_HSTS_PRELOAD = env.flag("SECURE_HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = ["security.W021"]
BEHIND_TLS_PROXY = env.flag("BEHIND_TLS_PROXY", default=False)
# How many proxies of ours add the address that called them to X-Forwarded-For: vigilpay/access/addresses.py.
PROXIES = env.integer("VIGILPAY_PROXIES", default=int(BEHIND_TLS_PROXY), minimum=0)
if BEHIND_TLS_PROXY:
    # Only a proxy that overwrites this header may be trusted with it.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

INSTALLED_APPS = [
    "vigilpay.apps.VigilPayConfig",
    "events.apps.EventsConfig",
    "customers.apps.CustomersConfig",
    "django_q",
    "axes",
    "vigilpay.apps.VigilPayAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "vigilpay.web.csp.ContentSecurityPolicyMiddleware",
    "vigilpay.web.request_id.RequestIdMiddleware",
    "vigilpay.web.metrics.MetricsMiddleware",
    "vigilpay.web.log_context.CustomerInLogMiddleware",
    "vigilpay.web.request_size.RequestSizeMiddleware",
    "vigilpay.web.statement_timeout.StatementTimeoutMiddleware",
    "vigilpay.web.odd_requests.OddRequestsMiddleware",
    "vigilpay.web.access.JsonErrorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    *env.words("VIGILPAY_LOGIN_MIDDLEWARE", default=[]),
    "vigilpay.access.time_limits.LoginTimeLimitsMiddleware",
    "vigilpay.web.request_size.UploadRightMiddleware",
    "vigilpay.trail.middleware.TrailMiddleware",
    "vigilpay.web.access.AccessMiddleware",  # before the next: it says which requests could be forged
    "django.middleware.csrf.CsrfViewMiddleware",
    "customers.editors.EditorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "vigilpay.urls"
WSGI_APPLICATION = "vigilpay.wsgi.application"
LOGIN_URL = "admin:login"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# --- database: PostgreSQL only; the private server unless DATABASE_URL names another ---------------------------------
DATABASE_URL = env.text("DATABASE_URL") if PRODUCTION else env.text("DATABASE_URL", default="")
# Beside a pooler's address in DATABASE_URL, for all but web pages: docs/maintenance.md.
DIRECT_URL = env.text("VIGILPAY_DIRECT_DATABASE_URL", default="")
# Where web pages have a role that may not store scores, "analyze" stores its score, and nothing else, as another one.
SCORER_URL = env.text("VIGILPAY_SCORER_DATABASE_URL", default="")
SCORER_DATABASE = "scorer" if SCORER_URL and DATABASE_URL else "default"
DATABASES = databases.addressed(
    DATABASE_URL,
    direct_url="" if "vigilpay.wsgi" in sys.modules else DIRECT_URL,
    scorer_url=SCORER_URL if SCORER_DATABASE == "scorer" else "",
)
# How long one statement of a web page may take before PostgreSQL stops it; workers and commands have no such limit.
WEB_STATEMENT_TIMEOUT_SECONDS = env.seconds("VIGILPAY_WEB_STATEMENT_TIMEOUT_SECONDS", default=5.0)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- queue: docs/decisions/0004-listen-broker.md gives the reason of each value --------------------------------------
WORKERS = env.integer("VIGILPAY_WORKERS", default=2, minimum=1)
Q_CLUSTER = {
    "name": "vigilpay",
    "label": "Background jobs",
    "orm": "default",
    "broker_class": env.text("VIGILPAY_BROKER", default="events.broker.ListenBroker"),
    "workers": WORKERS,
    "queue_limit": WORKERS,
    "bulk": 1,
    "timeout": env.integer("VIGILPAY_QUEUE_TIMEOUT_SECONDS", default=60, minimum=1),
    "retry": env.integer("VIGILPAY_QUEUE_RETRY_SECONDS", default=300, minimum=2),
    "ack_failures": True,
    "max_attempts": 1,
    "save_limit": -1,
    "catch_up": False,
    "recycle": 500,
    "max_rss": 600_000,
    "log_level": env.text("VIGILPAY_QUEUE_LOG_LEVEL", default="WARNING"),
}
# What workers run besides the engine's own jobs, by its path: events/queue/allowed.py.
JOBS_ALLOWED = [
    "vigilpay.jobs.prune_access",
    "vigilpay.jobs.prune_trail",
    *env.words("VIGILPAY_JOBS_ALLOWED", default=[]),
]
# How long the broker may go without looking for stale rows itself: it bounds staleness when every notification is lost.
LOOK_SECONDS = env.seconds("VIGILPAY_LOOK_SECONDS", default=1.0)
# How many rows one drain batch claims, scores and writes; an editor of one of them waits for that batch at most.
DRAIN_BATCH_ROWS = env.integer("VIGILPAY_DRAIN_BATCH_ROWS", default=500, minimum=1)
# A customer that the model can't score is tried so often, with pauses that grow fourfold, and then excluded.
RETRY_ATTEMPTS = env.integer("VIGILPAY_RETRY_ATTEMPTS", default=5, minimum=1)
RETRY_SECONDS = env.seconds("VIGILPAY_RETRY_SECONDS", default=1.0)
# A drain ends after this time and queues its successor, so that no job comes near django-q2's timeout.
DRAIN_SECONDS = env.seconds("VIGILPAY_DRAIN_SECONDS", default=20.0)
# run_worker ends a cluster that sends no heartbeat for so long; drains send none.
STALL_SECONDS = env.seconds("VIGILPAY_STALL_SECONDS", default=45.0)
# Set by run_worker for the cluster that it starts: its row in events_worker, and the pipe that closes at our own end.
WORKER_NAME = env.text("VIGILPAY_WORKER_NAME", default="")
LIFELINE_FD = env.integer("VIGILPAY_LIFELINE_FD", default=-1)
# Set by systemd for a service of Type=notify: where run_worker reports that it is alive.
NOTIFY_SOCKET = env.text("NOTIFY_SOCKET", default="")
# From which age of the oldest stale row freshness reports that the workers are behind.
BEHIND_SECONDS = env.seconds("VIGILPAY_BEHIND_SECONDS", default=60.0)
# How long history is kept; the newest score of each customer stays.
HISTORY_DAYS = env.integer("VIGILPAY_HISTORY_DAYS", default=730, minimum=1)
# How long the audit trail is kept; the entries of erasures stay.
TRAIL_DAYS = env.integer("VIGILPAY_TRAIL_DAYS", default=730, minimum=1)
# How long the feed of changed scores tells what has changed; a reader who was away for longer begins again.
FEED_DAYS = env.integer("VIGILPAY_FEED_DAYS", default=14, minimum=1)
# The largest CSV file that staff may upload, and for how long an upload and its rejected rows are kept.
IMPORT_MAX_MB = env.integer("VIGILPAY_IMPORT_MAX_MB", default=64, minimum=1)
IMPORT_DAYS = env.integer("VIGILPAY_IMPORT_DAYS", default=14, minimum=1)
# From which population stability index on a field, or the score, has shifted, and from which on that is an alarm.
DRIFT_WARNING = env.number("VIGILPAY_DRIFT_WARNING", default=0.1)
DRIFT_ALARM = env.number("VIGILPAY_DRIFT_ALARM", default=0.25)
# How long analyze waits for a row that another session's open edit has locked.
ANALYZE_LOCK_SECONDS = env.seconds("VIGILPAY_ANALYZE_LOCK_SECONDS", default=2.0)

# --- contacts and worklist: docs/worklist.md --------------------------------------------------------------------------
# For so many days after a contact a customer is in no worklist; after so many hours a claim may be taken over.
CONTACT_PAUSE_DAYS = env.integer("VIGILPAY_CONTACT_PAUSE_DAYS", default=14, minimum=0)
CLAIM_HOURS = env.integer("VIGILPAY_CLAIM_HOURS", default=24, minimum=1)
# The share of the customers whom no worklist contains, for comparison: fixed once, by the first migrate that finds it.
CONTROL_SHARE = env.share("VIGILPAY_CONTROL_SHARE", default=0.0, below=0.5)

# --- alerts: docs/alerts.md ------------------------------------------------------------------------------------------
# E-mail goes out when there is a mail server, the webhook when there are an address and a secret to sign with.
EMAIL_HOST = env.text("EMAIL_HOST", default="")
EMAIL_PORT = env.integer("EMAIL_PORT", default=25, minimum=1, maximum=65535)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", default=False)
EMAIL_USE_SSL = env.flag("EMAIL_USE_SSL", default=False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", default="vigilpay@localhost")
WEBHOOK_URL = env.text("VIGILPAY_WEBHOOK_URL", default="")
WEBHOOK_SECRET = env.text("VIGILPAY_WEBHOOK_SECRET", default="")
WEBHOOK_TIMEOUT_SECONDS = env.seconds("VIGILPAY_WEBHOOK_TIMEOUT_SECONDS", default=10.0)
# A message that is not delivered is tried so often, with pauses that grow fourfold, and then given up.
ALERT_ATTEMPTS = env.integer("VIGILPAY_ALERT_ATTEMPTS", default=7, minimum=1)
ALERT_RETRY_SECONDS = env.seconds("VIGILPAY_ALERT_RETRY_SECONDS", default=10.0)
# One rule sends no two e-mails within this time: what comes meanwhile is sent together.
ALERT_DIGEST_SECONDS = env.seconds("VIGILPAY_ALERT_DIGEST_SECONDS", default=60.0)
# An e-mail that sums up each day or week: events/digest.
DIGEST = env.choice("VIGILPAY_DIGEST", ["off", "daily", "weekly"], default="off")
DIGEST_RECIPIENTS = env.words("VIGILPAY_DIGEST_RECIPIENTS", default=[])
# Where staff reach this installation, for links in e-mails.
SITE_URL = env.text("VIGILPAY_SITE_URL", default="")

# --- model -----------------------------------------------------------------------------------------------------------
ML_ASSETS_DIR = Path(env.text("VIGILPAY_ML_ASSETS", default=str(BASE_DIR / "ml_assets")))
# A pickle is code: outside development only a file that was released in the database is loaded, or the first one.
ACCEPT_UNRELEASED_MODEL = not PRODUCTION
# Where compiled models are kept between starts. What cannot be written there is held in memory alone.
MODEL_CACHE = Path(env.text("VIGILPAY_MODEL_CACHE", default=str(BASE_DIR / ".local" / "models")))
# Whether one person may put a model into service. Else another one approves it: docs/releasing.md.
ONE_PERSON_RELEASES = env.flag("VIGILPAY_ONE_PERSON_RELEASES", default=not PRODUCTION)
# From which score on a customer's risk is called medium, high, critical; below the first it is low.
RISK_BANDS = env.thresholds("VIGILPAY_RISK_BANDS", default=(0.25, 0.5, 0.75))

# Lowest and highest values that a customer may have, where they are not those of docs/import.md.
BOUNDS = env.bounds("VIGILPAY_BOUNDS")

# Fields that reasons and suggestions never name: they count among "Other factors". The flag is the former setting.
REASONS_NAME_PROTECTED = env.flag("VIGILPAY_REASONS_NAME_PROTECTED", default=False)
PROTECTED_FIELDS = env.words(
    "VIGILPAY_PROTECTED_FIELDS", default=[] if REASONS_NAME_PROTECTED else ["geography", "gender"], among=FEATURES
)

# --- words, time, money, static files --------------------------------------------------------------------------------
LANGUAGE_CODE, LANGUAGES = "en", [("en", "English")]
FORMAT_MODULE_PATH = "vigilpay.formats"
# The bank's own zone, for all times that staff read, and the currency of all balances, as an ISO 4217 code or a sign.
TIME_ZONE = env.time_zone("VIGILPAY_TIME_ZONE", default="UTC")
CURRENCY = env.text("VIGILPAY_CURRENCY", default="EUR")
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles" if PRODUCTION else None  # for `collectstatic`
WHITENOISE_USE_FINDERS = not PRODUCTION
# What browsers ask for at the root of a site, whatever its pages name: an SVG, whatever its name says.
WHITENOISE_ROOT, WHITENOISE_MIMETYPES = BASE_DIR / "vigilpay" / "web" / "root", {"favicon.ico": "image/svg+xml"}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# --- metrics: docs/operations.md -------------------------------------------------------------------------------------
METRICS = env.flag("VIGILPAY_METRICS", default=False)
# Where the web server's processes count together; Prometheus's own library reads the variable, too.
METRICS_DIR = env.text("PROMETHEUS_MULTIPROC_DIR", default="")

# --- logging: never a customer's name, never a secret ----------------------------------------------------------------
DEFAULT_EXCEPTION_REPORTER_FILTER = "vigilpay.web.error_reports.NoValues"
LOGGING = logs.configuration(
    level=env.text("VIGILPAY_LOG_LEVEL", default="INFO"),
    log_format=env.choice("VIGILPAY_LOG_FORMAT", ["line", "json"], default="line"),
)
