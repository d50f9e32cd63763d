"""pgqueuer on asyncpg and uvloop: 500 jobs a fetch, finished rows moved to its log in batches of the same size."""

import asyncio
import json
import sys
import time

import asyncpg
import uvloop
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries

ENTRYPOINT = "noop"
BATCH = 500
PER_CALL = 5000


def now() -> int:
    """CLOCK_MONOTONIC in nanoseconds, the clock all peers share."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def report(**numbers) -> None:
    print(json.dumps(numbers), flush=True)


def gaps(seed: int):
    """The pauses between pick-up jobs, in seconds: 20 to 60 ms, the same for every peer of one seed."""
    state = seed & 0xFFFFFFFF
    while True:
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        yield (20 + (state >> 16) % 41) / 1000


async def setup(url: str) -> None:
    connection = await asyncpg.connect(url)
    await Queries(AsyncpgDriver(connection)).install()
    report(ok=True)


async def enqueue_batch(url: str, n: str) -> None:
    count = int(n)
    queries = Queries(AsyncpgDriver(await asyncpg.connect(url)))
    begin = now()
    for first in range(0, count, PER_CALL):
        size = min(PER_CALL, count - first)
        payloads = [b"%d" % i for i in range(first, first + size)]
        await queries.enqueue([ENTRYPOINT] * size, payloads, [0] * size)
    report(seconds=(now() - begin) / 1e9, count=count)


async def enqueue_single(url: str, n: str, inflight: str) -> None:
    async with asyncpg.create_pool(url, min_size=int(inflight), max_size=int(inflight)) as pool:
        queries = Queries(AsyncpgPoolDriver(pool))
        numbers = iter(range(int(n)))

        async def lane() -> None:
            for i in numbers:
                await queries.enqueue(ENTRYPOINT, b"%d" % i)

        begin = now()
        await asyncio.gather(*(lane() for _ in range(int(inflight))))
        report(seconds=(now() - begin) / 1e9, count=int(n))


async def drain(url: str, n: str) -> None:
    count = int(n)
    probe = await asyncpg.connect(url)
    manager = QueueManager(Queries(AsyncpgDriver(await asyncpg.connect(url))))
    seen: set[int] = set()
    handled = first = 0
    started = asyncio.Event()

    @manager.entrypoint(ENTRYPOINT)
    async def noop(job) -> None:
        nonlocal handled, first
        if not handled:
            first = now()
        handled += 1
        seen.add(int(job.payload))
        if len(seen) == count:
            started.set()

    worker = asyncio.create_task(manager.run(batch_size=BATCH))
    await started.wait()
    while await probe.fetchval("SELECT EXISTS (SELECT FROM pgqueuer)"):
        await asyncio.sleep(0.002)
    report(first_start_ns=first, finished_ns=now(), handled=handled, distinct=len(seen))
    manager.shutdown.set()
    await worker


async def pickup_worker(url: str, n: str) -> None:
    manager = QueueManager(Queries(AsyncpgDriver(await asyncpg.connect(url))))
    stamps: dict[int, int] = {}
    done = asyncio.Event()

    @manager.entrypoint(ENTRYPOINT)
    async def noop(job) -> None:
        stamp = now()
        stamps.setdefault(int(job.payload), stamp)
        if len(stamps) == int(n):
            done.set()

    worker = asyncio.create_task(manager.run(batch_size=BATCH))
    report(ready=True)
    await done.wait()
    report(started_ns=stamps)
    manager.shutdown.set()
    await worker


async def pickup_client(url: str, n: str, seed: str) -> None:
    queries = Queries(AsyncpgDriver(await asyncpg.connect(url)))
    stamps = {}
    for i, pause in zip(range(int(n)), gaps(int(seed))):
        await asyncio.sleep(pause)
        stamps[i] = now()
        await queries.enqueue(ENTRYPOINT, b"%d" % i)
    report(enqueued_ns=stamps)


COMMANDS = {
    "setup": setup,
    "enqueue-batch": enqueue_batch,
    "enqueue-single": enqueue_single,
    "drain": drain,
    "pickup-worker": pickup_worker,
    "pickup-client": pickup_client,
}

if __name__ == "__main__":
    uvloop.run(COMMANDS[sys.argv[1]](*sys.argv[2:]))
