from tests.fixtures.served_api import Served


async def test_the_catalogue_says_what_types_mean_and_which_signals_use_them(
    served: Served,
) -> None:
    answer = await served.client.get("/v1/touchpoint-types")
    assert answer.status_code == 200
    kinds = {item["type"]: item for item in answer.json()["items"]}
    assert len(kinds) > 35
    sale = kinds["store_sale"]
    assert sale["channel"] == "in_store"
    assert sale["direction"] == "inbound"
    assert sale["used_by"] == [
        {"model": "default", "signal": "bought"},
        {"model": "five-stage", "signal": "bought"},
    ]
    assert sale["schema"]["properties"]["type"] == {"enum": ["store_sale"]}
    assert sale["example"]["type"] == "store_sale"
    assert "shopify" in sale["vendors"]
    opened = kinds["email_machine_opened"]
    assert (opened["direction"], opened["used_by"]) == ("outbound", [])
    assert "default" in opened["no_sign_of_life_to"]


async def test_the_catalogue_takes_no_parameters(served: Served) -> None:
    answer = await served.client.get("/v1/touchpoint-types?channel=web")
    assert answer.status_code == 400
