"""Sends what it is told with an SDK for Python, and ends once the SDK has nothing left to send."""

import json
import sys
import time
from collections.abc import Mapping
from typing import Final

import rudderstack.analytics as rudder
import segment.analytics as segment

NAMES: Final[Mapping[str, str]] = {
    "userId": "user_id",
    "anonymousId": "anonymous_id",
    "previousId": "previous_id",
    "groupId": "group_id",
}


def main() -> None:
    """Do what the first argument tells."""
    told = json.loads(sys.argv[1])
    failures: list[str] = []
    made_by = segment if told["sdk"] == "segment-analytics-python" else rudder
    client = made_by.Client(
        told["key"],
        host=told["url"],
        on_error=lambda error, _: failures.append(str(error)),
        max_queue_size=100_000,
    )
    for message in told["messages"]:
        call, gap = message.pop("call"), message.pop("gap", 0)
        named = {NAMES.get(name, name): value for name, value in message.items()}
        getattr(client, call)(**named)
        time.sleep(gap / 1_000)
    client.shutdown()
    print(json.dumps({"failures": failures}))  # noqa: T201 - what whoever started it reads
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
