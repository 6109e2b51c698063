"""The list's way from a page's number to its rows: first the ids in order, then what is shown of these few."""

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet
from django.http import HttpRequest

from customers.admin.customer_list.contact_filters import with_last_contacts
from customers.admin.customer_list.filters import ChangeFilter, MainReasonFilter, ScoreFilter
from customers.admin.customer_list.objectors import is_narrowed, without_objectors
from customers.admin.customer_list.ordering import ids_of_page, is_by_risk, unscored_last
from customers.models import ScoreRecord
from customers.portfolio.moves import score_before

TREND_SCORES = 12


class CustomerChangeList(ChangeList):
    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return unscored_last(super().get_ordering(request, queryset))

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """Customers who have objected to profiling are in no list by risk: only where staff have named them."""
        found = super().get_queryset(request, exclude_parameters)
        asked = self.filter_params.get(ScoreFilter.parameter_name) == [ScoreFilter.OBJECTED]
        is_named = asked or self.query or "customer_id__in" in self.filter_params
        return found if is_named else without_objectors(found)

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not is_narrowed(self.queryset):
            # All are shown: "Show all", which Django's page has beside a count of less, would lead nowhere.
            self.full_result_count = self.result_count
        self.page_num = min(self.page_num, self.paginator.num_pages)
        start = (self.page_num - 1) * self.list_per_page
        stop = start + self.list_per_page
        # The index of the main reasons is in the order of risk itself.
        has_index = MainReasonFilter.parameter_name in self.filter_params and is_by_risk(self.queryset)
        # Who became critical is at the lower end of that band: on the way down are all who have been so for long.
        became_critical = self.filter_params.get(ChangeFilter.parameter_name) == [ChangeFilter.NEWLY_CRITICAL]
        are_few = became_critical or (not self.paginator.is_cut and not has_index)
        ids = ids_of_page(self.queryset, start, stop, are_few=are_few)
        # The newest first, by the index of the history.
        records = ScoreRecord.objects.filter(customer_id=OuterRef("pk")).order_by("-id")
        last_scores = ArraySubquery(records.values("score")[:TREND_SCORES])
        of_page = self.root_queryset.annotate(last_scores=last_scores, score_before=score_before())
        found = of_page.in_bulk(ids)
        self.result_list = [found[it] for it in ids if it in found]  # one may just have been deleted
        contacts = with_last_contacts(ids)
        for customer in self.result_list:
            customer.newest_contact = contacts.get(customer.pk)
