"""How a customer's score came to where it is: the trend, and under it what moved it, newest first."""

from collections.abc import Iterable, Mapping, Sequence

from django.conf import settings
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.admin.customer_page.facts import CustomerFacts
from customers.admin.customer_page.headline import CAUSES, written
from customers.admin.customer_page.values import changes_in_words, name_of
from customers.history.timeline import Edit, HistoryEntry, Score
from customers.ml_service.reasons.moves import Move
from customers.presentation.badge import badge
from customers.presentation.bands import BANDS
from customers.presentation.trend import Level, ScoredThen, trend

CHAPTERS_TOLD = 10
MOVES_TOLD = 4
SAME_TIME_SECONDS = 10.0
NOBODY = ("", "django")  # in particular


def trend_of(facts: CustomerFacts) -> SafeString | str:
    if not facts.scores:
        return "begins with the first score"
    levels = [Level(score, name) for score, name in zip(settings.RISK_BANDS, BANDS[1:], strict=True)]
    drawn = trend([ScoredThen(it.scored_at, it.score) for it in facts.scores], levels, facts.now)
    # A picture that is wider than a telephone is moved by finger or by the arrow keys.
    return format_html(
        '<div class="vp-block vp-wide" tabindex="0" role="group" aria-label="Churn risk over time">{}</div>', drawn
    )


def history_of(facts: CustomerFacts) -> SafeString | str:
    """The newest chapters as a table, and where the others are."""
    told = list(reversed(facts.chapters))[:CHAPTERS_TOLD]
    if not told:
        return "begins with the first score"
    return format_html(
        '<div class="vp-block vp-wide"><table class="vp-story"><thead><tr><th scope="col">When</th>'
        '<th scope="col">Risk</th><th scope="col">What was done</th>'
        '<th scope="col">What that moved, in points</th></tr></thead>'
        "<tbody>{}</tbody></table>{}</div>",
        format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", rows(told, facts.editors)),
        the_rest(facts),
    )


def rows(chapters: Sequence[HistoryEntry], editors: Mapping[str, str]) -> Iterable[tuple[object, ...]]:
    for chapter in chapters:
        yield when(chapter), risk(chapter.score), done(chapter, editors), moved(chapter)


def when(chapter: HistoryEntry) -> str:
    return written(chapter.score.scored_at) if chapter.score else "waits for its score"


def risk(score: Score | None) -> SafeString | str:
    if score is None:
        return ""
    shown = badge(score.score)
    if score.previous_score is None:
        return shown
    return format_html("{} {}", shown, signed(100 * (score.score - score.previous_score), " points"))


def done(chapter: HistoryEntry, editors: Mapping[str, str]) -> SafeString | str:
    """The edits that led to this score, or why it was given without one."""
    if not chapter.edits:
        return CAUSES.get(chapter.score.cause, "") if chapter.score else ""
    told = ((time_of(edit, chapter.score), edited(edit, editors[edit.edited_by])) for edit in chapter.edits)
    return format_html_join("", "<p>{}{}</p>", told)


def edited(edit: Edit, editor: str) -> SafeString | str:
    if not edit.changes:
        return came_or_was_edited(edit, editor)
    who = came_or_was_edited(edit, editor) if edit.returned else editor
    return format_html("{}: {}", who, changes_in_words((it.field, it.before, it.after) for it in edit.changes))


def time_of(edit: Edit, score: Score | None) -> str:
    """Empty where the time of the score, which stands at the head of the row, says it well enough."""
    if edit.edited_at is None or (score and (score.scored_at - edit.edited_at).total_seconds() < SAME_TIME_SECONDS):
        return ""
    return f"{written(edit.edited_at)}, "


def came_or_was_edited(edit: Edit, editor: str) -> str:
    if edit.version > 1 and not edit.returned:
        return f"edited by {editor}"  # what the customer was before is not kept any more
    came = CAUSES["returned" if edit.returned else "created"]
    return f"{came} (by {editor})" if edit.edited_by not in NOBODY else came


def moved(chapter: HistoryEntry) -> SafeString | str:
    if not chapter.moves:
        return ""
    shown = format_html_join(", ", "{}", ((move_in_words(move),) for move in chapter.moves[:MOVES_TOLD]))
    rest = sum(move.points for move in chapter.moves[MOVES_TOLD:])
    return format_html("{}, the rest {}", shown, signed(rest)) if chapter.moves[MOVES_TOLD:] else shown


def move_in_words(move: Move) -> SafeString:
    return format_html("{} {}", name_of(move.part).lower(), signed(move.points))


def signed(number: float, unit: str = "") -> SafeString:
    """In the colour of its direction, which the sign says as well."""
    way = "vp-raises" if number > 0 else "vp-lowers" if number < 0 else "vp-none"
    return format_html('<span class="vp-points {}">{}{}</span>', way, f"{number:+.1f}", unit)


def the_rest(facts: CustomerFacts) -> SafeString:
    """All of it, page by page, is the JSON view's to tell."""
    address = reverse("customers:history", args=[facts.customer.pk])
    hidden = len(facts.chapters) - CHAPTERS_TOLD
    if hidden <= 0:
        return format_html('<p class="vp-quiet"><a href="{}">The same as JSON</a></p>', address)
    return format_html(
        '<p class="vp-quiet">The newest {} are shown. <a href="{}">The whole history as JSON</a></p>',
        CHAPTERS_TOLD,
        address,
    )
