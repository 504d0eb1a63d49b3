from collections.abc import Iterator
from typing import cast

from services.ingest.app import build_ingest
from services.ingest.openapi import openapi_paths, openapi_schemas
from shared.acceptance.native import Given
from shared.touchpoints import JsonObject, JsonValue
from tests.fakes.directory import InMemoryDirectory
from tests.fakes.imports import InMemoryImportStates
from tests.fakes.log import InMemoryLog, InMemoryWriter
from tests.strategies.items import NOW, accepted


def references_in(value: JsonValue) -> Iterator[str]:
    match value:
        case {"$ref": str() as reference}:
            yield reference
        case dict():
            for member in value.values():
                yield from references_in(member)
        case list():
            for member in value:
                yield from references_in(member)
        case _:
            pass


def test_every_route_of_ingest_is_documented() -> None:
    ingest = build_ingest(
        log=InMemoryWriter(InMemoryLog()),
        directory=InMemoryDirectory([], {}),
        clock=lambda: NOW,
        imports=InMemoryImportStates(),
    )
    mounted = {path.partition("{")[0] + "*" if "{" in path else path for path in openapi_paths()}
    assert mounted == set(ingest.hot_routes)


def test_whatever_is_referred_to_is_there() -> None:
    schemas = {f"#/components/schemas/{name}" for name in openapi_schemas()}
    assert set(references_in([openapi_paths(), openapi_schemas()])) <= schemas


def test_the_touchpoint_has_exactly_the_members_that_are_taken_and_its_example_is() -> None:
    touchpoint = cast("JsonObject", openapi_schemas()["Touchpoint"])
    members = cast("JsonObject", touchpoint["properties"])
    assert set(members) == set(Given.__struct_fields__)
    assert accepted(touchpoint["example"]).data.flags == ()
