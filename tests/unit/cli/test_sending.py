"""Sending: what is posted together, what is counted, and where an interrupted run goes on."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from services.cli import posting
from services.cli.connection import Refused, Target
from services.cli.posting import open_client, post_touchpoints
from services.cli.sending import (
    BATCH,
    BATCH_BYTES,
    LARGEST_ITEM,
    MOST_COMPLAINTS,
    Counts,
    Mark,
    MarkFile,
    send_rows,
)
from shared.errors import SetupError
from shared.files.columns import Layout
from shared.files.row import BadRow, FileRow, Row

TARGET = Target("http://shop.example", "sk_abcdefgh_secretsecret")


class System:
    """Answers posts as ingest does; refuses items without a type."""

    def __init__(self) -> None:
        self.posts: list[list[dict[str, object]]] = []
        self.failures: list[httpx.Response | httpx.TransportError] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, httpx.Response):
                return failure
            raise failure
        items = msgspec.json.decode(request.content, type=list[dict[str, object]])
        self.posts.append(items)
        results = [
            {"index": index, "status": "accepted" if "type" in item else "rejected", "code": "c"}
            for index, item in enumerate(items)
        ]
        accepted = sum(result["status"] == "accepted" for result in results)
        body = {"accepted": accepted, "rejected": len(items) - accepted, "results": results}
        return httpx.Response(202 if accepted else 422, json=body)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    """A system that the sender reaches without a socket, and without waiting."""
    system = System()

    def client(target: Target) -> httpx.AsyncClient:
        return open_client(target, httpx.MockTransport(system))

    monkeypatch.setattr("services.cli.sending.open_client", client)
    monkeypatch.setattr(posting, "LONGEST_WAIT_SECONDS", 0.0)
    return system


def _mark() -> Mark:
    return Mark(1, 1, TARGET.url, "till")


def _rows(number: int, *, size: int = 0) -> Iterator[FileRow]:
    for line in range(1, number + 1):
        yield Row(line, {"type": "visit", "event_id": f"e-{line}", "text": "x" * size})


async def _send(
    rows: Iterator[FileRow], mark: Mark | None = None
) -> tuple[Counts, list[Mark], list[str]]:
    confirmed: list[Mark] = []
    waited: list[str] = []

    def note(reached: Mark) -> None:
        confirmed.append(msgspec.structs.replace(reached))

    counts = await send_rows(
        rows, TARGET, mark or _mark(), source=None, confirmed=note, waiting=waited.append
    )
    return counts, confirmed, waited


async def test_rows_go_in_batches_in_the_order_of_the_file(system: System) -> None:
    counts, confirmed, _ = await _send(_rows(2 * BATCH + 1))
    assert [len(post) for post in system.posts] == [BATCH, BATCH, 1]
    sent = [item["event_id"] for post in system.posts for item in post]
    assert sent == [f"e-{line}" for line in range(1, 2 * BATCH + 2)]
    assert (counts.accepted, counts.rejected) == (2 * BATCH + 1, 0)
    assert [mark.line for mark in confirmed] == [BATCH, 2 * BATCH, 2 * BATCH + 1]


async def test_large_rows_make_small_batches(system: System) -> None:
    counts, _, _ = await _send(_rows(9, size=BATCH_BYTES // 4))
    assert max(len(msgspec.json.encode(post)) for post in system.posts) <= BATCH_BYTES
    assert counts.accepted == 9


@pytest.mark.parametrize("size", [LARGEST_ITEM, BATCH_BYTES])
async def test_a_row_that_no_request_could_hold_costs_itself_alone(
    system: System, size: int
) -> None:
    counts, _, _ = await _send(iter([Row(1, {"text": "x" * size}), Row(2, {"type": "a"})]))
    assert (counts.accepted, counts.rejected) == (1, 1)
    assert [len(post) for post in system.posts] == [1]
    assert counts.complaints[0].startswith("line 1: is far too large")


async def test_lines_and_items_that_are_refused_are_told_by_line(system: System) -> None:
    rows: list[FileRow] = [Row(2, {"type": "a"}), BadRow(3, "is bad"), Row(4, {}), Row(7, {})]
    counts, confirmed, _ = await _send(iter(rows))
    assert (counts.accepted, counts.rejected) == (1, 3)
    assert counts.complaints == ["line 3: is bad", "line 4: c", "line 7: c"]
    assert [(mark.line, mark.accepted, mark.rejected) for mark in confirmed] == [(7, 1, 3)]
    assert len(system.posts) == 1


async def test_a_batch_of_bad_lines_alone_is_not_posted(system: System) -> None:
    counts, confirmed, _ = await _send(iter([BadRow(2, "is bad")]))
    assert (counts.rejected, system.posts) == (1, [])
    assert confirmed[-1].line == 2


async def test_a_run_goes_on_behind_its_mark_with_what_was_counted_before(system: System) -> None:
    mark = msgspec.structs.replace(_mark(), line=7, accepted=6, rejected=1)
    counts, _, _ = await _send(_rows(10), mark)
    assert [item["event_id"] for item in system.posts[0]] == ["e-8", "e-9", "e-10"]
    assert (counts.accepted, counts.rejected) == (9, 1)


async def test_what_passes_is_waited_for(system: System) -> None:
    system.failures = [
        httpx.ConnectError("refused"),
        httpx.ReadError("broken"),
        httpx.Response(429, headers={"Retry-After": "1"}),
        httpx.Response(503, headers={"Retry-After": "soon"}),
        httpx.Response(502),
    ]
    counts, _, waited = await _send(_rows(1))
    assert counts.accepted == 1
    assert len(waited) == 5
    assert "nothing answers at http://shop.example" in waited[0]
    assert "asks to wait" in waited[2]


async def test_what_does_not_pass_ends_the_run(system: System) -> None:
    problem = {"code": "unauthorized", "message": "this key is not known"}
    system.failures = [httpx.Response(401, json=problem)]
    with pytest.raises(Refused, match="this key is not known"):
        await _send(_rows(3 * BATCH))


async def test_a_system_that_stays_away_ends_the_run(system: System) -> None:
    system.failures = [httpx.ConnectError("refused") for _ in range(posting.TRIES)]
    async with open_client(TARGET, httpx.MockTransport(system)) as client:
        with pytest.raises(SetupError, match="nothing answers"):
            await post_touchpoints(client, TARGET, [{}], source=None, waiting=lambda _: None)


def test_complaints_end_with_a_screenful_and_counting_does_not() -> None:
    counts = Counts()
    for line in range(MOST_COMPLAINTS + 5):
        counts.complain(line, "is bad")
    assert counts.rejected == MOST_COMPLAINTS + 5
    assert len(counts.complaints) == MOST_COMPLAINTS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "till.csv"
    path.write_text("type\nvisit\n")
    return path


def _reached(file: Path) -> Mark:
    marks = MarkFile(file, TARGET, "till")
    mark = marks.load()
    assert mark.line == 0
    mark.line, mark.accepted = 2, 1
    marks.save(mark)
    return mark


def test_a_mark_is_kept_beside_the_file_and_gone_in_the_end(file: Path) -> None:
    reached = _reached(file)
    marks = MarkFile(file, TARGET, "till")
    assert marks.load() == reached
    assert file.with_name("till.csv.sending").exists()
    marks.remove()
    assert marks.load().line == 0
    marks.remove()


def test_a_mark_holds_for_the_same_file_sender_and_system_only(file: Path) -> None:
    _reached(file)
    assert MarkFile(file, Target("http://other.example", TARGET.key), "till").load().line == 0
    assert MarkFile(file, TARGET, "other-till").load().line == 0
    assert MarkFile(file, TARGET, None).load().line == 0
    assert MarkFile(file, TARGET, "till", Layout(type="visit")).load().line == 0
    assert MarkFile(file, TARGET, "till").load().line == 2
    content = file.read_bytes()
    file.write_bytes(content.upper())
    os.utime(file, ns=(1, 1))
    assert MarkFile(file, TARGET, "till").load().line == 0, "another content of the same size"


def test_a_mark_holds_nothing_secret(file: Path) -> None:
    marks = MarkFile(file, TARGET, None)
    marks.save(marks.load())
    kept = file.with_name("till.csv.sending").read_text()
    assert "sk_abcdefgh" in kept
    assert "secretsecret" not in kept


@pytest.mark.parametrize("rubbish", [b"", b"{", b"[]", b'{"size": 11, "url": "u", "line": 2}'])
def test_a_damaged_mark_costs_only_the_resumption(file: Path, rubbish: bytes) -> None:
    file.with_name("till.csv.sending").write_bytes(rubbish)
    assert MarkFile(file, TARGET, "till").load().line == 0


def test_a_folder_that_cannot_be_written_costs_only_the_resumption(file: Path) -> None:
    in_the_way = file.with_name("till.csv.sending")
    in_the_way.mkdir()
    marks = MarkFile(file, TARGET, "till")
    marks.save(marks.load())
    marks.remove()
    assert marks.load().line == 0
