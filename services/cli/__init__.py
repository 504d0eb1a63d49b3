"""The ``journeyline`` command."""
