"""What the campaigns with DocuSign share: the emulator as a process, a server that takes jobs and deliveries, and workers that may be killed."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import harness
from harness import Crew, Failure, Life, Store

# Of the emulator, when nothing else is said.
INTEGRATION_KEY = "0a1b2c3d-0000-4000-8000-000000000001"
USER_ID = "0a1b2c3d-0000-4000-8000-000000000002"
ACCOUNT_ID = "0a1b2c3d-0000-4000-8000-000000000003"

PDF = "JVBERi0xLjcKL3NpZ24vCiUlRU9GCg=="


def fetch(url: str, *, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


class Emulator:
    def __init__(self, binary: Path, home: Path, *options: str) -> None:
        self.port = harness.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = home / "emulator.log"
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [str(binary), "emulate", "docusign", "--listen", f"127.0.0.1:{self.port}", *options],
                cwd=home, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )
        harness.wait_until("the emulator answers", self.answers, 30)

    def answers(self) -> bool:
        if self.process.poll() is not None:
            raise Failure(f"the emulator ended: {self.log.read_text()[-500:]}")
        with contextlib.suppress(OSError):
            return fetch(f"{self.url}/_emulator/clock")[0] == 200
        return False

    def get(self, path: str):
        status, body = fetch(f"{self.url}/_emulator/{path}")
        if status != 200:
            raise Failure(f"the emulator answered {path} with {status}: {body[:300]!r}")
        return json.loads(body)

    def post(self, path: str, body: object = None, method: str = "POST"):
        data = b"" if body is None else json.dumps(body).encode()
        status, answer = fetch(f"{self.url}/_emulator/{path}", method=method, body=data, headers={"content-type": "application/json"})
        if status >= 300:
            raise Failure(f"the emulator answered {path} with {status}: {answer[:300]!r}")
        return json.loads(answer) if answer else None

    def by_key(self) -> dict[str, dict]:
        """For each business key the envelopes that were sent and those that were not."""
        return self.get("envelopes?name=business_key")["values"]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


class House:
    """One server that nobody hurts, and workers."""

    def __init__(self, binary: Path, home: Path, store: Store, emulator: Emulator, hmac_keys: list[str], lease: str, concurrency: int) -> None:
        self.store, self.emulator, self.home = store, emulator, home
        # Files that are on their way: none may be left.
        self.scratch = home / "scratch"
        self.scratch.mkdir()
        self.port, self.token = harness.free_port(), secrets.token_hex(16)
        self.keys = home / "hmac"
        self.write_keys(hmac_keys)
        key = home / "key.pem"
        made = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, check=True)
        self._private(key, made.stdout.decode())
        account = {
            "INTEGRATION_KEY": INTEGRATION_KEY, "USER_ID": USER_ID, "ACCOUNT_ID": ACCOUNT_ID, "BASE_URL": emulator.url, "OAUTH_URL": emulator.url,
            "OAUTH_HOST": "account-d.docusign.com", "PRIVATE_KEY_PATH": str(key), "CONNECT_HMAC_KEYS_PATH": str(self.keys),
            "WEBHOOK_URL": f"http://127.0.0.1:{self.port}/v1/webhooks/docusign",
            # What limits the calls is shown elsewhere.
            "MAX_CALLS_PER_HOUR": "1000000", "MAX_BURST_30S": "10000",
        }
        settings = {
            "WORKER__LEASE": lease, "WORKER__CONCURRENCY": str(concurrency), "ARTIFACTS__DIRECTORY": str(home / "artifacts"),
            "BREAKERS__COOL_DOWN": "1s", "HTTP__TOKEN": f"file:{home / 'token'}", "HTTP__RATE_LIMITS__EXEMPT": '["127.0.0.1/32"]',
            **{f"DOCUSIGN__ACCOUNTS__DEFAULT__{name}": value for name, value in account.items()},
        }
        self._private(home / "token", self.token)
        self.crew = Crew(binary, home, store, settings)

    def _private(self, path: Path, text: str) -> None:
        beside = path.with_suffix(".new")
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        beside.rename(path)

    def write_keys(self, keys: list[str]) -> None:
        self._private(self.keys, "\n".join(keys) + "\n")

    def serve(self, *, works: bool = False) -> Life:
        """Takes jobs and deliveries, and runs none, unless it is to be all that there is."""
        queues = {} if works else {"WORKER__QUEUES": '["nobodys"]'}
        life = self.start("server", "serve", HTTP__LISTEN=f"127.0.0.1:{self.port}", **queues)
        harness.wait_until("the server answers", lambda: self._is_up(life), 60)
        return life

    def _is_up(self, life: Life) -> bool:
        if not life.alive:
            raise Failure(f"the server ended: {life.log_lines()[-3:]}")
        with contextlib.suppress(OSError):
            return fetch(f"http://127.0.0.1:{self.port}/livez")[0] < 500
        return False

    def start(self, name: str, command: str, **more: str) -> Life:
        log = self.home / f"{name}-{len(self.crew.lives)}.log"
        own = {f"COMPLINE__{key}": value for key, value in more.items()}
        with log.open("w") as output:
            process = subprocess.Popen(
                [str(self.crew.binary), command], cwd=self.home, env=self.crew.environment(COMPLINE__WORKER__NAME=name, TMPDIR=str(self.scratch), **own),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )
        life = Life(name, time.time(), process, log)
        self.crew.lives.append(life)
        return life

    def worker(self, name: str) -> Life:
        return self.start(name, "work", HTTP__LISTEN="off")

    def enqueue(self, keys: list[str], max_attempts: int) -> None:
        job = lambda key: {
            "kind": "docusign.send_envelope", "max_attempts": max_attempts,
            "args": {
                "key": key, "subject": f"Report {key}", "documents": [{"name": "report.pdf", "base64": PDF}],
                "signers": [{"name": "Ada Lovelace", "email": "ada@example.org", "tabs": [{"anchor": "/sign/"}]}],
                "custom_fields": {"business_key": key},
            },
        }
        for start in range(0, len(keys), 1_000):
            self.post("jobs/batch", {"jobs": [job(key) for key in keys[start : start + 1_000]]})

    def post(self, path: str, said: object):
        status, answer = fetch(
            f"http://127.0.0.1:{self.port}/v1/{path}", method="POST", body=json.dumps(said).encode(),
            headers={"content-type": "application/json", "authorization": f"Bearer {self.token}"},
        )
        if status >= 300:
            raise Failure(f"POST {path}: {status} {answer[:500]!r}")
        return json.loads(answer)

    def _of(self, table: str) -> str:
        return f"compline.{table}" if self.store.name == "PostgreSQL" else table

    def _seconds(self, column: str) -> str:
        return f"extract(epoch FROM {column})" if self.store.name == "PostgreSQL" else f"{column} / 1e6"

    def unfinished(self, kind: str) -> int:
        (row,) = self.store.rows(f"SELECT count(*) FROM {self._of('job')} WHERE kind = '{kind}'")
        return int(row[0])

    def ends(self, kind: str) -> dict[str, int]:
        query = f"SELECT state, count(*) FROM {self._of('job_history')} WHERE kind = '{kind}' GROUP BY state"
        return {state: int(count) for state, count in self.store.rows(query)}

    def args(self, kind: str) -> list[dict]:
        """Of all jobs of a kind, ended or not."""
        tables = (self._of("job"), self._of("job_history"))
        return [json.loads(args) for table in tables for (args,) in self.store.rows(f"SELECT args FROM {table} WHERE kind = '{kind}'")]

    def results(self, kind: str) -> list[dict]:
        query = f"SELECT result FROM {self._of('job_history')} WHERE kind = '{kind}' AND result IS NOT NULL"
        return [json.loads(result) for (result,) in self.store.rows(query)]

    def records(self) -> dict[str, str]:
        query = f"SELECT key, state FROM {self._of('record')} WHERE collection = 'docusign.envelope'"
        return {key: state for key, state in self.store.rows(query)}

    def bodies(self) -> dict[str, dict]:
        query = f"SELECT key, body FROM {self._of('record')} WHERE collection = 'docusign.envelope'"
        return {key: json.loads(body) for key, body in self.store.rows(query)}

    def archived_at(self) -> dict[str, float]:
        where = "WHERE collection = 'docusign.envelope' AND state = 'archived'"
        return {key: float(at) for key, at in self.store.rows(f"SELECT key, {self._seconds('changed_at')} FROM {self._of('record')} {where}")}

    def archivings(self) -> dict[str, int]:
        """How often the audit log says that the documents of each key were archived."""
        where = "WHERE action = 'docusign.envelope.archive'"
        rows = self.store.rows(f"SELECT object, count(*) FROM {self._of('audit_entry')} {where} GROUP BY object")
        return {object.rpartition("/")[2]: int(count) for object, count in rows}

    def marks(self, source: str) -> int:
        ((count,),) = self.store.rows(f"SELECT count(*) FROM {self._of('trigger_mark')} WHERE source = '{source}'")
        return int(count)

    def all_are_due(self) -> None:
        """As if the time had passed after which the sweep asks."""
        now = "now()" if self.store.name == "PostgreSQL" else str(time.time_ns() // 1_000)
        self.store.write(f"UPDATE {self._of('record')} SET due_at = {now} WHERE collection = 'docusign.envelope' AND due_at IS NOT NULL")
