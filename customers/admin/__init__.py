"""The pages of the bank's staff: customers by risk, their scores, and the models that gave them."""

from customers.admin import customer_pages, imports, records, releases, set_aside
from customers.admin.read_only import ReadOnlyAdmin

__all__ = ["ReadOnlyAdmin", "customer_pages", "imports", "records", "releases", "set_aside"]
