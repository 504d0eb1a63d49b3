"""The part of the guide to stage models that wants a running system, followed on a new one."""

from pathlib import Path
from typing import Final

from tests.fixtures.processes import within
from tests.fixtures.product import Product
from tests.guide_blocks import agree, blocks_of, commands_of, run, write

GUIDE: Final = (Path(__file__).parents[2] / "docs/stage-models.md").read_text("utf-8")
STORED_SECONDS: Final = 30.0


def test_a_model_is_released_as_the_guide_shows_it(product: Product, tmp_path: Path) -> None:
    followed = 0

    def journeyline(arguments: list[str]) -> None:
        files = [tmp_path / one if (tmp_path / one).is_file() else one for one in arguments]
        ran = product.run(*files)
        print(ran.out, ran.err, sep="", end="")  # noqa: T201 - it is caught, as a terminal would

    for block in blocks_of(GUIDE):
        if block.language != "console":
            write(block, tmp_path)
            continue
        for command in commands_of(block) if block.wants_a_system else ():
            printed = run(command.command, journeyline)
            assert agree(command.shown, printed), "\n".join([command.command, *printed])
            if " send " in command.command:
                wait_until_stored(product)
            followed += 1
    assert followed > 8


def wait_until_stored(product: Product) -> None:
    """A reader takes longer to type the next command."""
    with product.client() as client:

        def pending() -> int:
            return int(client.get("/v1/ledger").json()["total"]["pending"])

        within(STORED_SECONDS, lambda: pending() == 0, lambda: f"{pending()} are pending")
