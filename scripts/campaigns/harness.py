"""What the campaigns share: a private PostgreSQL or a SQLite file, workers to hurt, and the truth afterwards.

The truth comes from two witnesses that do not know each other: the store's own tables, and the files that
`system.steps` writes. The keys in the files are derived here, not read from the store.
"""

from __future__ import annotations

import collections
import contextlib
import csv
import dataclasses
import datetime
import hashlib
import io
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Callable, Iterable, Iterator

ROOT = Path(__file__).resolve().parents[2]

# `NAMESPACE` of jobs/jobkit/src/step.rs.
STEP_KEYS = uuid.UUID("6f4d1c52-5a0f-4a38-9d6e-77c10c5b2f91")

POSTGRES_SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "max_connections": "200",
}

# A process listens for signals by then, in seconds.
STARTED_WITHIN = 3

# More would bury the first ones, which tell the story.
MOST_NAMED = 20


class Failure(Exception):
    """The campaign could not be run to its end: that is a failure too."""


def say(line: str) -> None:
    print(f"{datetime.datetime.now(datetime.UTC):%H:%M:%S} {line}", file=sys.stderr, flush=True)


def seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    if not found:
        raise ValueError(f"{text!r} is no duration such as 500ms, 2s or 1m")
    return float(found[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[found[2]]


def lease_argument(text: str) -> str:
    seconds(text)
    return text


def commit() -> str:
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    told = subprocess.run(git, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    return told.stdout.strip() or "no git"


def machine() -> str:
    now = datetime.datetime.now(datetime.UTC)
    return f"{now:%Y-%m-%d %H:%M} UTC · commit {commit()} · {os.cpu_count()} cores"


def wait_until(what: str, condition: Callable[[], bool], limit: float, pause: float = 0.1) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {limit:.0f} s")
        time.sleep(pause)


@contextlib.contextmanager
def environment(more: dict[str, str]) -> Iterator[None]:
    """For what is started within."""
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def scratch(prefix: str, keep: bool) -> Iterator[Path]:
    """A directory that other users may pass through, because the server runs as another one."""
    home = Path(tempfile.mkdtemp(prefix=prefix))
    home.chmod(0o755)
    try:
        yield home
    finally:
        if keep:
            say(f"kept: {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)


# Jobs and what must have become of them.


@dataclasses.dataclass(frozen=True)
class Steps:
    """One `system.steps` job to enqueue."""

    n: int
    ms: int
    file: Path
    delay: float = 0
    priority: int = 5


@dataclasses.dataclass(frozen=True)
class Ended:
    state: str
    fence: int
    attempt: int
    max_attempts: int
    claimed: float
    run_at: float


@dataclasses.dataclass(frozen=True)
class Attempt:
    job: str
    fence: int
    attempt: int
    ending: str
    worker: int
    claimed: float
    finished: float


@dataclasses.dataclass(frozen=True)
class WorkerRow:
    id: int
    name: str
    started: float
    ended: float | None


def plan(jobs: int, steps: int, most_ms: int, folder: Path, rng: random.Random) -> list[Steps]:
    """Jobs that run at the same time write to different files, which each step reads as a whole."""
    folder.mkdir()
    files = max(1, jobs // 1_000)
    return [Steps(steps, rng.randint(0, most_ms), folder / f"keys-{index % files}") for index in range(jobs)]


def step_key(job: str, step: int) -> str:
    name = uuid.UUID(job).bytes + f"step {step}".encode()
    return str(uuid.UUID(bytes=hashlib.sha1(STEP_KEYS.bytes + name).digest()[:16], version=5))


def wrong_keys(jobs: dict[str, Steps]) -> list[str]:
    """Every expected key stands exactly once in its file, and nothing else stands there."""
    wrong = []
    expected: dict[Path, dict[str, str]] = collections.defaultdict(dict)
    for job, steps in jobs.items():
        for step in range(1, steps.n + 1):
            expected[steps.file][step_key(job, step)] = f"step {step} of job {job}"
    for file, keys in sorted(expected.items()):
        found = collections.Counter(file.read_text().splitlines() if file.exists() else [])
        for key, owner in keys.items():
            if found[key] != 1:
                wrong.append(f"{owner}: its key {key} stands {found[key]} times in {file.name}")
        for line in found.keys() - keys.keys():
            # A kill in the middle of a write may leave the beginning of a key on a line of its own.
            if not any(key.startswith(line) for key in keys):
                wrong.append(f"{file.name}: nobody should have written {line!r}")
    return wrong


def wrong_ends(store: Store, jobs: dict[str, Steps]) -> list[str]:
    """Every job completed exactly once, by the history, the attempts, the steps and the audit log alike."""
    wrong = [f"job {job} is still {state}" for job, state in store.live().items()]
    history = store.history()
    wrong += [f"job {job} is nowhere in the history" for job in jobs.keys() - history.keys()]
    wrong += [f"job {job} was never enqueued" for job in history.keys() - jobs.keys()]
    wrong += [f"job {job} ended {end.state}" for job, end in history.items() if end.state != "completed"]
    wrong += [
        f"job {job}: attempt {end.attempt} of {end.max_attempts}"
        for job, end in history.items()
        if end.attempt > end.max_attempts
    ]
    by_job = collections.defaultdict(list)
    for attempt in store.attempts():
        by_job[attempt.job].append(attempt)
    for job, attempts in by_job.items():
        endings = [attempt.ending for attempt in attempts]
        if endings.count("completed") > 1:
            wrong.append(f"job {job} completed {endings.count('completed')} times: {endings}")
        if job in history and len(attempts) != history[job].attempt:
            wrong.append(f"job {job} counts {history[job].attempt} attempts, and its history names {endings}")
    told = collections.Counter(store.audited())
    wrong += [f"the audit log says {told[job]} times that job {job} completed" for job in jobs if told[job] != 1]
    steps = store.step_counts()
    wrong += [
        f"job {job} has {steps.get(job, 0)} steps stored, not {plan.n}"
        for job, plan in jobs.items()
        if steps.get(job, 0) != plan.n
    ]
    return wrong


def report(wrong: list[str]) -> None:
    for line in wrong[:MOST_NAMED]:
        print(f"WRONG {line}")
    if len(wrong) > MOST_NAMED:
        print(f"WRONG … and {len(wrong) - MOST_NAMED} more")


# The stores


class Cluster:
    """A private PostgreSQL in a directory of its own, on a free loopback port, never as root."""

    def __init__(self, bin_dir: Path, home: Path) -> None:
        self.bin, self.home, self.data = bin_dir, home, home / "data"
        self.owner = next(filter(exists_user, ("postgres", "nobody"))) if os.geteuid() == 0 else None
        self.port = free_port()

    def url(self, database: str) -> str:
        return f"postgres://campaign@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        self.home.mkdir()
        if self.owner:
            shutil.chown(self.home, self.owner)
        self.home.chmod(0o755)
        # Trust is for loopback and for the minutes that this server lives.
        self._run("initdb", "--pgdata", self.data, "--username", "campaign", "--auth", "trust", "--encoding", "UTF8", "--no-locale")
        self.start()

    def start(self) -> None:
        settings = POSTGRES_SETTINGS | {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.home}
        flags = " ".join(f"-c {key}={value}" for key, value in settings.items())
        self._run("pg_ctl", "start", "--wait", "--pgdata", self.data, "--log", self.home / "server.log", "--options", flags)

    def stop(self, mode: str = "immediate") -> None:
        if (self.data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "--wait", "--mode", mode, "--pgdata", self.data)

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self.bin / program), *map(str, arguments)]
        if self.owner:
            command = ["runuser", "-u", self.owner, "--", *command]
        # A server that inherits a pipe of ours would keep it open; a file it may keep.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False, timeout=120
            )
            if done.returncode:
                output.seek(0)
                raise Failure(f"{program} failed:\n{output.read()}")

    def psql(self, database: str, text: str) -> str:
        command = [str(self.bin / "psql"), "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]
        done = subprocess.run([*command, self.url(database)], input=text, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode:
            raise Failure(f"psql: {done.stderr.strip()}")
        return done.stdout


def exists_user(name: str) -> bool:
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwnam(name))
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def postgres_bin(named: str | None) -> Path:
    """The binaries to use: those named, else the newest of Debian's, else those in the path."""
    if named:
        return Path(named)
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    found = installed[-1] if installed else shutil.which("postgres")
    if not found:
        raise Failure("no PostgreSQL server binaries found; name their directory with --pg-bin")
    return Path(found).resolve().parent


class Store:
    """What a campaign asks of a store. Times are seconds since 1970, ids are texts."""

    name: str
    url: str

    def enqueue(self, jobs: list[Steps], max_attempts: int) -> dict[str, Steps]: ...
    def ended_count(self) -> int: ...
    def live(self) -> dict[str, str]: ...
    def history(self) -> dict[str, Ended]: ...
    def attempts(self) -> list[Attempt]: ...
    def workers(self) -> list[WorkerRow]: ...
    def audited(self) -> list[str]: ...
    def step_counts(self) -> dict[str, int]: ...
    def close(self) -> None: ...


class Postgres(Store):
    name = "PostgreSQL"

    def __init__(self, home: Path, bin_dir: Path) -> None:
        self.cluster = Cluster(bin_dir, home / "pg")
        self.cluster.create()
        self.cluster.psql("postgres", "CREATE DATABASE compline")
        self.url = self.cluster.url("compline")

    def sql(self, text: str) -> str:
        return self.cluster.psql("compline", text)

    def write(self, statement: str) -> None:
        self.sql(statement)

    def rows(self, query: str) -> Iterator[list[str]]:
        return csv.reader(io.StringIO(self.sql(f"COPY ({query}) TO STDOUT (FORMAT csv)")))

    def enqueue(self, jobs: list[Steps], max_attempts: int) -> dict[str, Steps]:
        lines = "".join(f"{i},{job.n},{job.ms},{job.file},{job.delay},{job.priority}\n" for i, job in enumerate(jobs))
        told = self.sql(
            "CREATE TEMP TABLE plan (i int, n int, ms int, file text, delay float8, priority int);\n"
            f"COPY plan FROM STDIN (FORMAT csv);\n{lines}\\.\n"
            "COPY (SELECT i, compline.enqueue('system.steps', jsonb_build_object('n', n, 'ms', ms, 'file', file),"
            f" jsonb_build_object('max_attempts', {max_attempts}, 'delay_seconds', delay, 'priority', priority)) FROM plan ORDER BY i) TO STDOUT (FORMAT csv);\n"
        )
        return {job: jobs[int(i)] for i, job in csv.reader(io.StringIO(told))}

    def ended_count(self) -> int:
        return int(self.sql("SELECT count(*) FROM compline.job_history"))

    def live(self) -> dict[str, str]:
        return {job: state for job, state in self.rows("SELECT id, state FROM compline.job")}

    def history(self) -> dict[str, Ended]:
        query = (
            "SELECT id, state, fence, attempt, max_attempts, extract(epoch FROM coalesce(claimed_at, finished_at)),"
            " extract(epoch FROM run_at) FROM compline.job_history"
        )
        return {
            job: Ended(state, int(fence), int(attempt), int(most), float(claimed), float(run_at))
            for job, state, fence, attempt, most, claimed, run_at in self.rows(query)
        }

    def attempts(self) -> list[Attempt]:
        query = (
            "SELECT job_id, fence, attempt, ending, coalesce(worker, 0), extract(epoch FROM coalesce(claimed_at, finished_at)),"
            " extract(epoch FROM finished_at) FROM compline.job_attempt"
        )
        return [
            Attempt(job, int(fence), int(attempt), ending, int(worker), float(claimed), float(finished))
            for job, fence, attempt, ending, worker, claimed, finished in self.rows(query)
        ]

    def workers(self) -> list[WorkerRow]:
        query = "SELECT id, name, extract(epoch FROM started_at), extract(epoch FROM ended_at) FROM compline.worker"
        return [
            WorkerRow(int(worker), name, float(started), float(ended) if ended else None)
            for worker, name, started, ended in self.rows(query)
        ]

    def audited(self) -> list[str]:
        query = "SELECT unnest(jobs) FROM compline.audit_entry WHERE action = 'job.finish' AND outcome = 'completed'"
        return [job for (job,) in self.rows(query)]

    def step_counts(self) -> dict[str, int]:
        return {job: int(count) for job, count in self.rows("SELECT job_id, count(*) FROM compline.job_step GROUP BY 1")}

    def close(self) -> None:
        self.cluster.stop()


class Sqlite(Store):
    name = "SQLite"

    def __init__(self, home: Path) -> None:
        self.file = home / "jobs.db"
        self.url = f"sqlite://{self.file}"

    def write(self, statement: str) -> None:
        with contextlib.closing(sqlite3.connect(self.file, timeout=30)) as connection, connection:
            connection.execute(statement)

    def rows(self, query: str) -> list[tuple]:
        with contextlib.closing(sqlite3.connect(self.file, timeout=30)) as connection:
            return connection.execute(query).fetchall()

    def enqueue(self, jobs: list[Steps], max_attempts: int) -> dict[str, Steps]:
        """SQLite has no function to enqueue, so this writes the rows that the binary would."""
        ((queue,),) = self.rows("SELECT queue FROM kind WHERE kind = 'system.steps'")
        statement = (
            "INSERT INTO job (id, state, max_attempts, budget, priority, rank, run_at, created_at, kind, queue, args)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'system.steps', ?, ?)"
        )
        ids = {}
        with contextlib.closing(sqlite3.connect(self.file, timeout=30)) as connection:
            for start in range(0, len(jobs), 1_000):
                with connection:
                    for job in jobs[start : start + 1_000]:
                        now = time.time_ns() // 1_000
                        due = now + int(job.delay * 1_000_000)
                        job_id = uuid_v7()
                        args = json.dumps({"n": job.n, "ms": job.ms, "file": str(job.file)})
                        rank = due + (job.priority - 5) * 60_000_000
                        state = "scheduled" if job.delay else "available"
                        row = (job_id.bytes, state, max_attempts, max_attempts, job.priority, rank, due, now, queue, args)
                        connection.execute(statement, row)
                        ids[str(job_id)] = job
        return ids

    def ended_count(self) -> int:
        return self.rows("SELECT count(*) FROM job_history")[0][0]

    def live(self) -> dict[str, str]:
        return {str(uuid.UUID(bytes=job)): state for job, state in self.rows("SELECT id, state FROM job")}

    def history(self) -> dict[str, Ended]:
        query = "SELECT id, state, fence, attempt, max_attempts, coalesce(claimed_at, finished_at) / 1e6, run_at / 1e6 FROM job_history"
        return {str(uuid.UUID(bytes=job)): Ended(*rest) for job, *rest in self.rows(query)}

    def attempts(self) -> list[Attempt]:
        query = (
            "SELECT job_id, fence, attempt, ending, coalesce(worker, 0), coalesce(claimed_at, finished_at) / 1e6,"
            " finished_at / 1e6 FROM job_attempt"
        )
        return [Attempt(str(uuid.UUID(bytes=job)), *rest) for job, *rest in self.rows(query)]

    def workers(self) -> list[WorkerRow]:
        return [WorkerRow(*row) for row in self.rows("SELECT id, name, started_at / 1e6, ended_at / 1e6 FROM worker")]

    def audited(self) -> list[str]:
        told = []
        for (jobs,) in self.rows("SELECT jobs FROM audit_entry WHERE action = 'job.finish' AND outcome = 'completed'"):
            told += [str(uuid.UUID(bytes=jobs[at : at + 16])) for at in range(0, len(jobs or b""), 16)]
        return told

    def step_counts(self) -> dict[str, int]:
        return {str(uuid.UUID(bytes=job)): count for job, count in self.rows("SELECT job_id, count(*) FROM job_step GROUP BY 1")}

    def close(self) -> None:
        pass


def uuid_v7() -> uuid.UUID:
    number = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    return uuid.UUID(int=number & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62)


# Workers


@dataclasses.dataclass
class Life:
    """One process from its start to its end, whoever ended it. Times are seconds since 1970."""

    name: str
    started: float
    process: subprocess.Popen
    log: Path
    killed: float | None = None

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        # From here on it may die at any moment, so this is the time that counts.
        self.killed = time.time()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log_lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()


class Crew:
    """Starts `compline work` processes with an environment of their own, and leaves none behind."""

    def __init__(self, binary: Path, home: Path, store: Store, settings: dict[str, str]) -> None:
        self.binary, self.home = binary, home
        # The steps write their keys below the home, and nowhere else.
        self.settings = {"STORE__URL": store.url, "SYSTEM__ROOTS": json.dumps([str(home)]), **settings}
        self.lives: list[Life] = []

    def environment(self, **more: str) -> dict[str, str]:
        own = {f"COMPLINE__{key}": value for key, value in self.settings.items()}
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), **own, **more}

    def run(self, *arguments: str) -> None:
        done = subprocess.run(
            [str(self.binary), *arguments], cwd=self.home, env=self.environment(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=120,
        )
        if done.returncode:
            raise Failure(f"compline {' '.join(arguments)}: {done.stderr.strip()}")

    def prepare(self) -> None:
        """The schema, and the kinds, which the first worker writes down."""
        self.run("migrate")
        self.run("work", "--until-idle")

    def start(self, name: str, **more: str) -> Life:
        log = self.home / f"worker-{len(self.lives)}.log"
        with log.open("w") as output:
            environment = self.environment(COMPLINE__WORKER__NAME=name, **more)
            started = time.time()
            process = subprocess.Popen(
                [str(self.binary), "work"], cwd=self.home, env=environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output,
            )
        life = Life(name, started, process, log)
        self.lives.append(life)
        return life

    def stop(self) -> list[str]:
        """Asks all to end, and tells of those that did not end well."""
        wrong = [f"worker {life.name} ended by itself with {life.process.returncode}: {life.log_lines()[-3:]}"
                 for life in self.lives if not life.killed and not life.alive]
        living = [life for life in self.lives if life.alive]
        for life in living:
            # One that does not listen for signals yet would just end.
            time.sleep(max(0, life.started + STARTED_WITHIN - time.time()))
            life.process.terminate()
        for life in living:
            try:
                if life.process.wait(40):
                    wrong.append(f"worker {life.name} ended with {life.process.returncode} after SIGTERM")
            except subprocess.TimeoutExpired:
                wrong.append(f"worker {life.name} did not end after SIGTERM")
        wrong += [f"worker {life.name} panicked: {line}" for life in self.lives for line in life.log_lines() if "panicked at" in line]
        return wrong

    def end_all(self) -> None:
        for life in self.lives:
            if life.alive:
                life.process.kill()
                life.process.wait(30)

    def of(self, row: WorkerRow) -> Life | None:
        """The process behind a row: names repeat, but never at the same time."""
        mine = [life for life in self.lives if life.name == row.name and life.started <= row.started]
        return max(mine, key=lambda life: life.started, default=None)


def opened(what: str, home: Path, pg_bin: str | None) -> Store:
    return Postgres(home, postgres_bin(pg_bin)) if what == "postgres" else Sqlite(home)


def flags(parser, **defaults) -> None:
    """What every campaign can be told."""
    parser.add_argument("--binary", type=Path, default=ROOT / "target" / "release" / "compline", help="the compline to hurt (target/release/compline)")
    parser.add_argument("--seed", type=int, default=20_261, help="of everything that is random (20261)")
    parser.add_argument("--lease", type=lease_argument, default=defaults["lease"], help=f"of each worker ({defaults['lease']})")
    parser.add_argument("--timeout", type=float, default=defaults.get("timeout", 1_800), help="seconds after which the campaign has failed")
    parser.add_argument("--pg-bin", help="directory of the PostgreSQL server binaries")
    parser.add_argument("--keep", action="store_true", help="keep the directory with the store and the logs")


def ending_is_an_exception() -> None:
    # So that servers and workers are stopped and the directory goes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    columns = list(columns)
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
