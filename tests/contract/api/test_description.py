from services.api.openapi import Described
from tests.fixtures.served_api import Served, built_api


async def test_the_description_names_every_way_to_ask_for_a_customer(served: Served) -> None:
    paths = (await served.client.get("/openapi.json")).json()["paths"]
    for rest in ("", "/timeline", "/journey"):
        by_path = paths[f"/v1/customers/{{ref}}{rest}"]["get"]
        by_query = paths[f"/v1/customers/lookup{rest}"]["get"]
        assert by_path["operationId"] != by_query["operationId"]
        ref = [item for item in by_query["parameters"] if item["name"] == "ref"]
        assert [(item["in"], item["required"]) for item in ref] == [("query", True)]


async def test_the_description_promises_problems_and_keys(served: Served) -> None:
    document = (await served.client.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    assert "HTTPValidationError" not in schemas
    assert {"Problem", "TimelinePage", "TouchpointItem"} <= schemas.keys()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert "422" not in operation["responses"]
            assert "default" in operation["responses"]
            assert bool(operation["security"]) == (path != "/v1/health")


async def test_every_reference_in_the_description_leads_somewhere(served: Served) -> None:
    answer = await served.client.get("/openapi.json")
    schemas = answer.json()["components"]["schemas"]
    named = {part.split('"')[0] for part in answer.text.split("#/components/schemas/")[1:]}
    assert named <= schemas.keys()


async def test_what_stands_in_front_can_be_described_too(served: Served) -> None:
    elsewhere = Described(paths={"/v1/touchpoints": {"post": {}}}, schemas={"Touchpoint": {}})
    app = built_api(served.engine, served.clock, served.log, served.outlets, elsewhere=elsewhere)
    document = app.openapi()
    assert "/v1/touchpoints" in document["paths"]
    assert "Touchpoint" in document["components"]["schemas"]
