"""``journeyline ingest|classifier|api``: one service alone, set by environment variables."""

from services.api.__main__ import main as run_api
from services.classifier.__main__ import main as run_classifier
from services.ingest.__main__ import main as run_ingest


def ingest() -> None:
    """Run ingest alone; settings are the INGEST_… variables of .env.example."""
    run_ingest()


def classifier() -> None:
    """Run a classifier alone; settings are the CLASSIFIER_… variables of .env.example."""
    run_classifier()


def api() -> None:
    """Run the API alone; settings are the API_… variables of .env.example."""
    run_api()
