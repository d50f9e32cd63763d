"""Enqueues a job over HTTP, and waits for what came of it.

The `Idempotency-Key` makes it safe to send again whatever became of the first try: the same key and the same request get
the same answer, and there is one job.
"""

import os
import uuid

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry


def session() -> requests.Session:
    """With patience: a server that restarts, or asks to come later, is asked again. Only safe with a key."""
    retry = Retry(total=5, backoff_factor=0.2, status_forcelist=[429, 502, 503, 504], allowed_methods=None)
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=retry))
    session.mount("https://", HTTPAdapter(max_retries=retry))
    session.headers["Authorization"] = f"Bearer {os.environ['COMPLINE_TOKEN']}"
    return session


def checked(answer: requests.Response) -> dict:
    """Every error is a problem document (RFC 9457) that says what to do."""
    if not answer.ok:
        problem = answer.json()
        raise SystemExit(f"{problem['code']}: {problem['detail']}")
    return answer.json()


def main() -> None:
    url = os.environ["COMPLINE_URL"]
    http = session()
    order = os.environ.get("ORDER", str(uuid.uuid4()))
    # Derived from what the job is about, so that it is the same after a crash of this program too.
    key = f"order-{order}"
    job = {"kind": "system.sleep", "args": {"ms": 10}, "tags": ["example"], "metadata": {"order": order}}

    enqueued = checked(http.post(f"{url}/v1/jobs", json=job, headers={"Idempotency-Key": key}, timeout=10))
    again = checked(http.post(f"{url}/v1/jobs", json=job, headers={"Idempotency-Key": key}, timeout=10))
    assert again == enqueued, "the same key and request get the same answer"

    ended = {"state": "available"}
    while ended["state"] not in ("completed", "cancelled", "discarded"):
        ended = checked(http.get(f"{url}/v1/jobs/{enqueued['id']}/wait", params={"timeout": "30s"}, timeout=40))
    print(enqueued["id"], ended["state"])


if __name__ == "__main__":
    main()
