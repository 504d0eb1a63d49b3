"""What reports may be asked."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from services.api.parameters import CursorText, ModelName, Moment, Parameters, PersonaKey, Text
from shared.instants import SECOND, Micros
from shared.journey.durations import parse_duration
from shared.touchpoints import Channel


def _micros(text: object) -> Micros:
    return parse_duration(str(text)).micros


class ReportParameters(Parameters):
    """Parameters of every report."""

    model: ModelName | None = None
    start: Annotated[Moment | None, Field(alias="from", description="inclusive")] = None
    end: Annotated[Moment | None, Field(alias="to", description="exclusive")] = None
    channel: Annotated[
        list[Channel],
        Field(description="of touchpoints; of customers met there, where none are counted"),
    ] = Field(default_factory=list)
    first_channel: Channel | None = None
    persona: PersonaKey | None = None
    form: Annotated[
        Literal["json", "csv"], Field(alias="format", description="csv: the items alone")
    ] = "json"


class CohortsParameters(ReportParameters):
    """Parameters of the report on cohorts."""

    by: Annotated[
        Literal["day", "week", "month"], Field(description="what a cohort begins within, in UTC")
    ] = "month"


class AbandonmentParameters(ReportParameters):
    """Parameters of the report on abandonment."""

    last: Annotated[int, Field(ge=1, le=20, description="touchpoints to look at before each")] = 3


class ChannelsParameters(ReportParameters):
    """Parameters of the report on channels."""

    within: Annotated[
        Micros,
        BeforeValidator(_micros, json_schema_input_type=str),
        Field(
            ge=SECOND,
            description="how soon a touchpoint on another channel is a switch, such as P1D",
            json_schema_extra={"type": "string", "default": "P1D"},
        ),
    ] = 86_400 * SECOND


class ReportDrill(ReportParameters):
    """Parameters of the rows behind a number of a report."""

    of: Annotated[Text | None, Field(description="a table of the report; the first one")] = None
    cell: Annotated[
        list[Text],
        Field(description="NAME:VALUE of a column that the table is counted by", max_length=10),
    ] = Field(default_factory=list)
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: CursorText | None = None


class CohortsDrill(CohortsParameters, ReportDrill):
    """Parameters of the rows behind a number of the report on cohorts."""


class AbandonmentDrill(AbandonmentParameters, ReportDrill):
    """Parameters of the rows behind a number of the report on abandonment."""


class ChannelsDrill(ChannelsParameters, ReportDrill):
    """Parameters of the rows behind a number of the report on channels."""
