"""What the bank calls things in its files: names of columns, and words for country and gender."""

from django.db import models

from customers.ml_service.schema import LONGEST_WORD


class ColumnMapping(models.Model):
    """Names of columns in one kind of file, kept under a name. An upload keeps what it was uploaded with."""

    name = models.CharField(max_length=LONGEST_WORD, unique=True)
    columns = models.TextField(
        help_text="Enter one column per line as column name=field, for example Kontostand=balance."
    )
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class CategoryAlias(models.Model):
    """A word of the bank's files, and the one that is stored in its place. Customers stored already do not change."""

    class Field(models.TextChoices):
        COUNTRY = "geography", "Country"
        GENDER = "gender", "Gender"

    field = models.CharField(max_length=9, choices=Field, default=Field.COUNTRY)
    written = models.CharField(
        "word in files", max_length=LONGEST_WORD, help_text="Upper and lower case are treated alike."
    )
    meant = models.CharField("stored as", max_length=LONGEST_WORD)

    class Meta:
        ordering = ["field", "written"]
        verbose_name = "category alias"
        verbose_name_plural = "category aliases"
        constraints = [models.UniqueConstraint(fields=["field", "written"], name="category_alias_once")]

    def __str__(self) -> str:
        return f"{self.get_field_display()}: {self.written} = {self.meant}"
