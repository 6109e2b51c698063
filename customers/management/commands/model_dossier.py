"""`manage.py model_dossier RELEASE [--output DIR]`: write everything about a release as one document."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from customers.management.progress import positive
from customers.ml_service.card import document, page, picture_files
from customers.ml_service.files.packaging import write_all
from customers.models import ModelRelease
from customers.monitoring import dossier


class Command(BaseCommand):
    help = "Write everything about a release as one document, in Markdown and in HTML that prints well."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("release", metavar="RELEASE", type=positive, help="the number of the release")
        parser.add_argument(
            "--output", metavar="DIR", type=Path, help="folder to write to (default: model-dossier-RELEASE)"
        )

    def handle(self, *, release: int, output: Path | None, **options: Any) -> None:
        found = ModelRelease.objects.filter(pk=release).first()
        if found is None:
            raise CommandError(f"There is no release {release}. See: manage.py release_model --status")
        output = output or Path(f"model-dossier-{release}")
        try:
            write_all(output, files_of(found))
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror or error}. Name another folder.") from None
        self.stdout.write(f"Written: {output / name_of(found)}.md and .html")


def name_of(release: ModelRelease) -> str:
    return f"release-{release.pk}"


def files_of(release: ModelRelease) -> dict[str, bytes]:
    """The document by the names of its files, with the pictures of its Markdown."""
    sections, title = dossier.sections(release), dossier.title_of(release)
    return {
        **picture_files(sections),
        f"{name_of(release)}.md": document(title, [], sections).encode(errors="replace"),
        f"{name_of(release)}.html": page(title, sections).encode(errors="replace"),
    }
