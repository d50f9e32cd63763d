"""Enqueues a job through a Redis stream: one command, and no client of ours.

Compline reads the stream with a consumer group and acknowledges an entry when its job is stored. An entry that cannot
become a job is set aside with its error. `key` makes a second entry of the same kind and key the same job.
"""

import json
import os

import redis


def main() -> None:
    client = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
    entry = {"kind": "system.noop", "args": json.dumps({}), "key": "order-9", "tags": json.dumps(["example"])}
    print("added", client.xadd("compline:enqueue", entry))


if __name__ == "__main__":
    main()
