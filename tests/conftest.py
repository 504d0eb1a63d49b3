"""What every test shares: Hypothesis profiles."""

import os

from hypothesis import settings

pytest_plugins = [
    "tests.fixtures.classification",
    "tests.fixtures.databases",
    "tests.fixtures.kafka",
]

settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True)
settings.register_profile("full", max_examples=2_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
