"""The demo: a made-up shop whose customers' journeys are generated, never real."""
