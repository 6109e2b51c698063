"""The pages of the bank's staff: customers by risk, their scores, and the models that gave them."""

from customers.admin import customers, failures, imports, mapping, outreach, portfolio, proposals, records, releases
from customers.admin.customer_list.filters import ChoiceFilter
from customers.admin.read_only import ReadOnlyAdmin

__all__ = [
    "ChoiceFilter",
    "ReadOnlyAdmin",
    "customers",
    "failures",
    "imports",
    "mapping",
    "outreach",
    "portfolio",
    "proposals",
    "records",
    "releases",
]
