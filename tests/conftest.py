"""What every test shares: Hypothesis profiles, and tracebacks without every local variable.

A thousand records among them took longer to write than PostgreSQL waits for a transaction.
"""

import os

import structlog
from hypothesis import settings

pytest_plugins = [
    "tests.fixtures.classification",
    "tests.fixtures.databases",
    "tests.fixtures.kafka",
]

structlog.configure(
    processors=[
        structlog.stdlib.add_log_level,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)

settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True)
settings.register_profile("full", max_examples=2_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
