"""Post touchpoints and wait for the verdict: all a client needs. Copy it, change it."""

import json
import time
import urllib.error
import urllib.request
import uuid

TRIES = 8


def send(url, key, touchpoints):
    """Post up to 1,000 touchpoints; return the verdict once all of them are durable.

    Each gets an event id before the first try, so that trying again doubles nothing. A verdict
    lists what was rejected; it is in the quarantine and need not be sent again.
    """
    items = [{"event_id": str(uuid.uuid4()), **touchpoint} for touchpoint in touchpoints]
    request = urllib.request.Request(
        f"{url}/v1/touchpoints",
        data=json.dumps(items).encode(),
        headers={"Authorization": f"Bearer {key}"},
    )
    for attempt in range(TRIES):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            body = json.load(error)
            if "results" in body:  # 422: readable, and nothing of it was accepted
                return body
            if error.code not in (429, 502, 503, 504):
                raise ValueError(f"{body['code']}: {body['message']}") from error
            wait = float(error.headers.get("Retry-After") or 2**attempt)
        except OSError:  # nobody answered: what was sent may have arrived, or not
            wait = 2**attempt
        time.sleep(min(wait, 30))
    raise TimeoutError(f"{url} does not take touchpoints in")
