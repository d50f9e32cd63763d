"""Deliveries of an emulated DocuSign: caught as they were sent, spoiled on purpose, and posted each when it is due."""

from __future__ import annotations

import asyncio
import base64
import collections
import dataclasses
import gc
import hashlib
import hmac
import json
import random
import socket
import threading
from typing import Callable

from harness import Failure

SIGNATURE = "x-docusign-signature-"


@dataclasses.dataclass(frozen=True)
class Letter:
    """One delivery: its bytes, the headers that came with them, and what is done to it."""

    body: bytes
    headers: tuple[tuple[str, str], ...]
    sort: str = "true"

    @property
    def mark(self) -> tuple[str, ...]:
        """What makes two deliveries one, worked out here and not asked of anybody."""
        said = json.loads(self.body)
        data = said["data"]
        return tuple(map(str, (said["configurationId"], data["envelopeId"], data.get("recipientId", ""), said["event"], said["generatedDateTime"])))

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    @property
    def is_authentic(self) -> bool:
        return self.sort in ("true", "again")

    def request(self, host: str, path: str) -> bytes:
        lines = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(self.body)}", *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


def sign(key: str, body: bytes) -> str:
    return base64.b64encode(hmac.digest(key.encode(), body, "sha256")).decode()


def is_signed_by(key: str, letter: Letter) -> bool:
    return any(value == sign(key, letter.body) for name, value in letter.headers if name.lower().startswith(SIGNATURE))


class Box:
    """Answers 200 to whatever is delivered and keeps it: the emulator's own bytes and signatures."""

    def __init__(self) -> None:
        self.door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.door.getsockname()[1]}"
        self.letters: list[Letter] = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while True:
            try:
                caller, _ = self.door.accept()
            except OSError:
                return
            with caller:
                came = b""
                while b"\r\n\r\n" not in came:
                    came += caller.recv(65_536)
                head, body = came.split(b"\r\n\r\n", 1)
                headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")[1:]]
                length = next(int(value) for name, value in headers if name.lower() == "content-length")
                while len(body) < length:
                    body += caller.recv(65_536)
                kept = tuple((name, value) for name, value in headers if name.lower().startswith(("content-type", "x-")))
                self.letters.append(Letter(body, kept))
                caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def emptied(self) -> list[Letter]:
        letters, self.letters = self.letters, []
        return letters

    def close(self) -> None:
        self.door.close()


def with_copies(letters: list[Letter], share: float, rng: random.Random) -> list[Letter]:
    """Of letters that all came twice, the first of each and the second of a share of them, which says that it is a retry."""
    by_mark: dict[tuple[str, ...], list[Letter]] = collections.defaultdict(list)
    for letter in letters:
        by_mark[letter.mark].append(letter)
    if odd := [mark for mark, found in by_mark.items() if len(found) != 2 or found[0].body == found[1].body]:
        raise Failure(f"{len(odd)} messages did not come twice, with another retryCount: {odd[0]}")
    firsts = [found[0] for found in by_mark.values()]
    again = rng.sample([found[1] for found in by_mark.values()], round(share * len(by_mark)))
    return firsts + [dataclasses.replace(letter, sort="again") for letter in again]


def forged(letter: Letter, sort: str) -> Letter:
    """What nobody must believe, of a letter that was true."""
    content = tuple((name, value) for name, value in letter.headers if not name.lower().startswith(SIGNATURE))
    if sort == "unsigned":
        return Letter(letter.body, content, sort)
    if sort == "wrong key":
        return Letter(letter.body, (*content, ("X-DocuSign-Signature-1", sign("nobody's key", letter.body))), sort)
    # The signature is the true one, of other words.
    said = json.loads(letter.body)
    said["event"] = "envelope-voided" if said["event"] != "envelope-voided" else "envelope-completed"
    return Letter(json.dumps(said).encode(), letter.headers, "altered")


FORGERIES = ("unsigned", "wrong key", "altered")


# Posting

# The connection was closed, or nothing came for as long as a provider waits.
UNANSWERED = (0, b"")
PATIENCE = 100


@dataclasses.dataclass
class Posted:
    """One request and its answer; times are seconds since the first was due."""

    due: float
    what: object
    began: float = 0.0
    ended: float = 0.0
    status: int = 0
    answer: bytes = b""

    @property
    def took(self) -> float:
        """From when it was due, not from when somebody got round to it."""
        return self.ended - self.due


class _Line(asyncio.Protocol):
    """A connection that is kept."""

    def __init__(self) -> None:
        self.came = bytearray()
        self.answered: asyncio.Future | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.came += data
        end = self.came.find(b"\r\n\r\n")
        if end < 0 or self.answered is None:
            return
        head = self.came[:end].decode().split("\r\n")
        length = next((int(line.split(":")[1]) for line in head if line.lower().startswith("content-length:")), 0)
        if len(self.came) < end + 4 + length:
            return
        answer = int(head[0].split()[1]), bytes(self.came[end + 4 : end + 4 + length])
        del self.came[: end + 4 + length]
        answered, self.answered = self.answered, None
        if not answered.done():
            answered.set_result(answer)

    def connection_lost(self, cause) -> None:
        if self.answered is not None and not self.answered.done():
            self.answered.set_result(UNANSWERED)

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        self.answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.answered


async def _post_all(port: int, plan: list[tuple[float, object, bytes]], acts: list[tuple[float, Callable[[], None]]]) -> list[Posted]:
    loop, idle = asyncio.get_running_loop(), []
    origin = loop.time() + 0.2
    posted = [Posted(due, what) for due, what, _ in plan]

    async def one(at: int) -> None:
        posted[at].began = loop.time() - origin
        while idle and idle[-1].transport.is_closing():
            idle.pop()
        line = idle.pop() if idle else (await loop.create_connection(_Line, "127.0.0.1", port))[1]
        try:
            posted[at].status, posted[at].answer = await asyncio.wait_for(line.ask(plan[at][2]), PATIENCE)
        except TimeoutError:
            line.transport.close()
        posted[at].ended = loop.time() - origin
        idle.append(line)

    tasks = []
    for due, act in acts:
        loop.call_at(origin + due, act)
    for at, (due, _, _) in enumerate(plan):
        loop.call_at(origin + due, lambda at=at: tasks.append(asyncio.ensure_future(one(at))))
    await asyncio.sleep(0.2 + max(due for due, _, _ in plan) + 0.1)
    await asyncio.gather(*tasks)
    for line in idle:
        line.transport.close()
    return posted


def post_all(port: int, plan: list[tuple[float, object, bytes]], acts: list[tuple[float, Callable[[], None]]] = ()) -> list[Posted]:
    """Sends each request when it is due, however long others take to be answered, and does what is to be done at its time."""
    # A collection of what is kept here would look like a pause of the server.
    gc.collect()
    gc.disable()
    try:
        return asyncio.run(_post_all(port, plan, list(acts)))
    finally:
        gc.enable()


def milliseconds(took: list[float]) -> list[str]:
    """p50, p95, p99 and the longest."""
    ranked = sorted(took)
    at = lambda share: ranked[min(len(ranked) - 1, int(share * len(ranked)))]
    return [f"{1_000 * value:.1f}" for value in (at(0.5), at(0.95), at(0.99), ranked[-1])]
