"""``DELETE /v1/demo`` takes the demo out, for those who may."""

from shared.keys import Scope
from tests.fixtures.served_api import client_of, served_api


async def test_the_demo_is_removed_and_counted(database_url: str) -> None:
    async with served_api(database_url) as served:
        answer = await served.client.delete("/v1/demo")
        assert answer.status_code == 200
        content = answer.json()
        assert content["kept"] == []
        assert content["removed"]["touchpoints"] == 0
        assert (await served.client.delete("/v1/demo?all=1")).status_code == 400


async def test_only_an_admin_may_remove_it(database_url: str) -> None:
    async with served_api(database_url) as served:
        for scope in set(Scope) - {Scope.ADMIN}:
            async with client_of(served.app, f"sk_{scope}") as client:
                assert (await client.delete("/v1/demo")).status_code == 403
        async with client_of(served.app, f"sk_{Scope.ADMIN}") as client:
            assert (await client.delete("/v1/demo")).status_code == 200
