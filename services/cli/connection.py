"""How a command finds the running system: options, environment, or the data folder."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import httpx
import msgspec
import typer

from shared.errors import Fault, JourneylineError, SetupError

Url = Annotated[
    str | None, typer.Option("--url", envvar="JOURNEYLINE_URL", help="address of the system")
]
Key = Annotated[
    str | None, typer.Option("--key", envvar="JOURNEYLINE_KEY", help="a key with the needed scope")
]
Data = Annotated[
    Path, typer.Option("--data", help="data folder whose credentials.json is used otherwise")
]
DEFAULT_DATA: Final = Path("data")
TIMEOUT: Final = httpx.Timeout(30, connect=5)


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What ``journeyline up`` leaves in ``credentials.json``."""

    url: str
    source: str
    write_key: str
    secret_key: str

    def __repr__(self) -> str:
        return f"Credentials({self.url}, …)"


class Target(msgspec.Struct, frozen=True):
    """Where to send requests, and with which key."""

    url: str
    key: str

    def __repr__(self) -> str:
        return f"Target({self.url}, …)"


class Refused(JourneylineError):
    """The system answered with a problem."""


def find_target(url: str | None, key: str | None, data: Path) -> Target:
    """Return the target of a command.

    Raises:
        SetupError: neither options nor environment nor the data folder say where the system is.
    """
    if url and key:
        return Target(url.rstrip("/"), key)
    path = data / "credentials.json"
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Credentials)
    except FileNotFoundError as error:
        raise SetupError(
            f"no --url and --key, no JOURNEYLINE_URL and JOURNEYLINE_KEY, and no {path}: start a "
            "system with `journeyline up`, or say where one runs"
        ) from error
    except (OSError, msgspec.DecodeError) as error:
        raise SetupError(f"{path} cannot be read: {error}") from error
    return Target((url or found.url).rstrip("/"), key or found.secret_key)


@contextmanager
def connect(target: Target) -> Generator[httpx.Client]:
    """Yield a client of *target*; connection errors become one clear sentence.

    Raises:
        SetupError: nothing answers there.
    """
    headers = {"Authorization": f"Bearer {target.key}"}
    try:
        with httpx.Client(base_url=target.url, headers=headers, timeout=TIMEOUT) as client:
            yield client
    except httpx.ConnectError as error:
        raise unreachable(target) from error
    except httpx.TransportError as error:
        raise SetupError(f"the connection to {target.url} broke: {error}") from error


def unreachable(target: Target) -> SetupError:
    """Return the error for a target where nothing answers."""
    return SetupError(
        f"nothing answers at {target.url}: is it running? `journeyline up` starts it, "
        "`journeyline doctor` checks it"
    )


def ask(client: httpx.Client, method: str, path: str, **options: object) -> dict[str, object]:
    """Send one request and return the JSON object of its answer.

    Raises:
        Refused: the answer is a problem; with its sentence and its faults.
    """
    json = options.get("json")
    params = options.get("params")
    answer = client.request(
        method, path, json=json, params=params if isinstance(params, dict) else None
    )
    if answer.is_success:
        return dict(answer.json()) if answer.content else {}
    raise refusal_of(answer)


class _ProblemFault(msgspec.Struct):
    path: str = ""
    code: str = ""
    message: str = ""


class _Problem(msgspec.Struct):
    message: str = ""
    code: str = "failed"
    errors: list[_ProblemFault] = []


def refusal_of(answer: httpx.Response) -> Refused:
    """Return the error that *answer* stands for."""
    try:
        problem = msgspec.json.decode(answer.content, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem()
    message = problem.message or f"the system answered {answer.status_code}"
    faults = [Fault(fault.path, fault.code, fault.message) for fault in problem.errors]
    return Refused(message, code=problem.code, faults=faults)
