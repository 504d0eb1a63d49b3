"""All reports."""

from typing import Final

from services.api.reports.abandonment import ABANDONMENT
from services.api.reports.channels import CHANNELS
from services.api.reports.cohorts import COHORTS
from services.api.reports.flow import FLOW
from services.api.reports.friction import FRICTION
from services.api.reports.funnel import FUNNEL
from services.api.reports.journey_map import JOURNEY_MAP
from services.api.reports.report import Report

REPORTS: Final[tuple[Report, ...]] = (
    FUNNEL,
    FLOW,
    JOURNEY_MAP,
    ABANDONMENT,
    FRICTION,
    COHORTS,
    CHANNELS,
)
