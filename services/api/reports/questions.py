"""What a report is asked: of which customers, in which time, under which model."""

from dataclasses import dataclass

from services.api.readers.arguments import Arguments
from services.api.readers.personas import persona_condition
from shared.instants import DAY, Instant, Micros, datetime_of
from shared.journey.matchers import Matcher
from shared.journey.model import StageModel


@dataclass(frozen=True, slots=True)
class ReportQuestion:
    """What a report is asked, and how it is to count.

    Attributes:
        model_id: Row of an active model.
        model: That model.
        start: Inclusive.
        end: Exclusive.
        channels: Of touchpoints where those are counted, else of customers met on any of them;
            empty for all.
        first_channel: Of the customers; None for any.
        persona: What the customers match; None for all.
        by: What cohorts begin with: ``day``, ``week`` (from Monday) or ``month``, in UTC.
        last: How many touchpoints before an abandonment are looked at.
        within: How soon a touchpoint on another channel is a switch.
    """

    model_id: int
    model: StageModel
    start: Instant
    end: Instant
    channels: tuple[str, ...] = ()
    first_channel: str | None = None
    persona: Matcher | None = None
    by: str = "month"
    last: int = 3
    within: Micros = DAY


def within_time(column: str, question: ReportQuestion, arguments: Arguments) -> str:
    """Return the condition that a moment lies in the time asked for."""
    start = arguments.add(datetime_of(question.start), "timestamptz")
    end = arguments.add(datetime_of(question.end), "timestamptz")
    return f"{column} >= {start} AND {column} < {end}"


def on_channels(question: ReportQuestion, arguments: Arguments, *columns: str) -> str:
    """Return the condition that one of *columns* is a channel asked for, if any was."""
    if not question.channels:
        return "true"
    wanted = arguments.add(list(question.channels), "text[]")
    return f"({' OR '.join(f'{column} = ANY({wanted})' for column in columns)})"


def of_customers(question: ReportQuestion, arguments: Arguments) -> str:
    """Return the condition on customers, ``c``, where touchpoints have their channels."""
    parts = []
    if question.persona is not None:
        parts.append(persona_condition(question.persona, arguments))
    if question.first_channel is not None:
        parts.append(f"c.first_channel = {arguments.add(question.first_channel, 'text')}")
    return " AND ".join(parts) or "true"


def met_on_channels(question: ReportQuestion, arguments: Arguments) -> str:
    """Return the condition on customers, ``c``, where no touchpoints are counted."""
    condition = of_customers(question, arguments)
    if not question.channels:
        return condition
    met = arguments.add(list(question.channels), "text[]")
    return f"{condition} AND (c.profile -> 'by_channel')::jsonb ?| {met}"
