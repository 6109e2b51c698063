"""The job of earlier versions, by the path under which they have queued it."""

from customers.import_export.uploads.worker import work_off

__all__ = ["work_off"]
