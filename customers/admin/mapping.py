"""What the bank calls columns and words in its files, kept by staff who import them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from customers.admin.read_only import PlainChangeList
from customers.import_export.aliases import AliasError, checked
from customers.import_export.csv_files.refused import RefusedError
from customers.import_export.mapping import lines_of, parse
from customers.models import CategoryAlias, ColumnMapping
from customers.presentation.durations import format_time


class KeptByStaff(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    show_full_result_count = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[PlainChangeList]:
        return PlainChangeList


class MappingForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    class Meta:
        model = ColumnMapping
        fields = ("name", "columns")

    def clean_columns(self) -> str:
        try:
            mapping = parse(self.cleaned_data["columns"].splitlines())
        except RefusedError as error:
            raise forms.ValidationError(str(error)) from None
        return lines_of(mapping)


@admin.register(ColumnMapping)
class ColumnMappingAdmin(KeptByStaff):
    form = MappingForm
    list_display = ("name", "listed", "changed")

    @admin.display(description="Columns")
    def listed(self, mapping: ColumnMapping) -> str:
        return ", ".join(mapping.columns.splitlines())

    @admin.display(description="Last changed")
    def changed(self, mapping: ColumnMapping) -> str:
        return format_time(mapping.changed_at)


class AliasForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    class Meta:
        model = CategoryAlias
        fields = ("field", "written", "meant")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if {"field", "written", "meant"} <= cleaned.keys():
            try:
                cleaned["written"], cleaned["meant"] = checked(
                    cleaned["field"], cleaned["written"], cleaned["meant"], besides=self.instance.pk
                )
            except AliasError as error:
                raise forms.ValidationError(str(error)) from None
        return cleaned


@admin.register(CategoryAlias)
class CategoryAliasAdmin(KeptByStaff):
    form = AliasForm
    list_display = ("written", "meant", "field")
    list_filter = ("field",)
