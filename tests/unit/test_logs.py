import io
import json
import logging
from collections.abc import Iterator, Mapping

import pytest
import structlog

from shared.logs import REQUEST_ID, configure_logs, without_secrets

KEY = "sk_AbCdEf12_" + "x" * 49


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs(stream=stream, pretty=False)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[Mapping[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_object_with_its_time_and_level(stream: io.StringIO) -> None:
    structlog.get_logger("a.b").warning("the log is away", partition=3)
    (line,) = lines(stream)
    assert line["message"] == "the log is away"
    assert (line["level"], line["logger"], line["partition"]) == ("warning", "a.b", 3)
    assert str(line["at"]).endswith("Z")


def test_loggers_of_libraries_end_in_the_same_lines(stream: io.StringIO) -> None:
    logging.getLogger("some.library").error("lost %s", "connection")
    (line,) = lines(stream)
    assert (line["message"], line["level"]) == ("lost connection", "error")


def test_what_is_less_severe_is_left_out(stream: io.StringIO) -> None:
    structlog.get_logger().debug("detail")
    logging.getLogger("x").debug("detail")
    logging.getLogger("httpx").info("GET https://h/customers/email:ana@example.com")
    assert lines(stream) == []


def test_a_line_says_which_request_it_is_about(stream: io.StringIO) -> None:
    token = REQUEST_ID.set("id-4")
    structlog.get_logger().info("inside")
    REQUEST_ID.reset(token)
    structlog.get_logger().info("outside")
    inside, outside = lines(stream)
    assert inside["request_id"] == "id-4"
    assert "request_id" not in outside


def test_a_text_that_was_sent_cannot_begin_a_line(stream: io.StringIO) -> None:
    structlog.get_logger().info("got it", event_id='x\r\n{"message": "forged"}')
    assert len(lines(stream)) == 1


def test_for_people_line_ends_are_written_out() -> None:
    stream = io.StringIO()
    configure_logs(stream=stream, pretty=True)
    structlog.get_logger().info("got it", event_id="x\r\nforged\x1b[2J\u2028")
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b[2J" not in stream.getvalue()
    structlog.reset_defaults()
    logging.getLogger().handlers.clear()


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {KEY}",
        f"?writeKey={KEY}&x=1",
        f"postgresql://user:{KEY}@host/db",
        "whsec_" + "x" * 49,
        "Basic " + "x" * 49,
    ],
)
def test_keys_are_blotted_out_wherever_they_stand(stream: io.StringIO, text: str) -> None:
    log = structlog.get_logger()
    log.info(text)
    log.info("nested", given={"list": [text], "pair": (text,)}, raw=text.encode())
    logging.getLogger("library").error("refused %s", text)
    try:
        fail(text)
    except ValueError as error:
        log.exception("failed", why=error)
    assert "xxxxxxxxxxxx" not in stream.getvalue()
    assert len(lines(stream)) == 4


def fail(text: str) -> None:
    raise ValueError(text)


@pytest.mark.parametrize("name", ["password", "Authorization", "secret_key", "pepper"])
def test_what_is_secret_by_its_name_is_blotted_out(stream: io.StringIO, name: str) -> None:
    structlog.get_logger().info("set", **{name: "hunter2"}, nested={name: "hunter2"})
    assert "hunter2" not in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "blotted"),
    [
        ("postgresql+asyncpg://me:pw@db:5432/x", "postgresql+asyncpg://me:***@db:5432/x"),
        ("https://example.com/a:b@c", "https://example.com/a:b@c"),
        ("wk_AbCdEf12_" + "y" * 49, "wk_AbCdEf12_***"),
        ("basic questions", "basic questions"),
        ("a task_force and risk_assessment", "a task_force and risk_assessment"),
    ],
)
def test_nothing_else_is_blotted_out(text: str, blotted: str) -> None:
    assert without_secrets(text) == blotted
