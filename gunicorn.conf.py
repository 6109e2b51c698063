"""What gunicorn reads by itself when it is started here; its other options stand in ``deploy/``."""

logger_class = "vigilpay.processes.gunicorn_logs.EscapingLogger"
