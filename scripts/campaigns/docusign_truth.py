"""What must be so after deliveries of DocuSign came, or did not: our records, files and log against the emulator's own state."""

from __future__ import annotations

import base64
import collections
import datetime
import hashlib
import io
import json
import time
import zipfile
from urllib.parse import urlencode

from docusign_house import ACCOUNT_ID, INTEGRATION_KEY, USER_ID, Emulator, House, fetch
from harness import Failure


class Somebody:
    """Another program that uses the account. The emulator believes its signature, since it was told no key."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        part = lambda said: base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
        claims = {
            "iss": INTEGRATION_KEY, "sub": USER_ID, "aud": "account-d.docusign.com", "iat": int(time.time()), "exp": int(time.time()) + 3_600,
            "scope": "signature impersonation",
        }
        assertion = ".".join([part({"alg": "RS256", "typ": "JWT"}), part(claims), part("nobody's")])
        form = urlencode({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}).encode()
        said = self._asked(f"{emulator.url}/oauth/token", "POST", form, {"content-type": "application/x-www-form-urlencoded"})
        self.token = json.loads(said)["access_token"]

    def _asked(self, url: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
        status, answer = fetch(url, method=method, body=body, headers=headers)
        if status >= 300:
            raise Failure(f"{method} {url}: {status} {answer[:300]!r}")
        return answer

    def call(self, path: str, method: str = "GET", said: object = None) -> bytes:
        body = None if said is None else json.dumps(said).encode()
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        return self._asked(f"{self.emulator.url}/restapi/v2.1/accounts/{ACCOUNT_ID}/{path}", method, body, headers)

    def void(self, envelope: str) -> None:
        self.call(f"envelopes/{envelope}", "PUT", {"status": "voided", "voidedReason": "The figures were wrong."})

    def files(self, envelope: str) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(self.call(f"envelopes/{envelope}/documents/archive"))) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def events(self, envelope: str) -> object:
        return json.loads(self.call(f"envelopes/{envelope}/audit_events"))


def moment(text: str) -> float:
    # DocuSign writes seven digits, of which Python reads six.
    whole, _, rest = text.rstrip("Z").partition(".")
    return datetime.datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{rest or 0}")


def envelopes(emulator: Emulator) -> dict[str, dict]:
    """The one envelope of each key, as the emulator has it. Drafts that nobody sent are not any."""
    found = {}
    for envelope in emulator.get("state")["envelopes"]:
        fields = envelope["customFields"]["textCustomFields"]
        key = next(field["value"] for field in fields if field["name"] == "business_key")
        if envelope.get("sentDateTime"):
            if key in found:
                raise Failure(f"{key} was sent twice")
            found[key] = envelope
    return found


def same_states(house: House, theirs: dict[str, dict], keys: list[str]) -> list[str]:
    """Whatever is completed there is archived here, and all else is called alike."""
    ours = house.records()
    wanted = {key: {"completed": "archived"}.get(theirs[key]["status"], theirs[key]["status"]) for key in keys}
    return [f"{key}: it is {theirs[key]['status']}, and our record says {ours.get(key)}" for key in keys if ours.get(key) != wanted[key]]


def archived_whole(house: House, emulator: Emulator, theirs: dict[str, dict], keys: list[str]) -> tuple[int, list[str]]:
    """One archive for each that is completed, of the emulator's own bytes, and no other file. Returns how many files there are."""
    # Whoever looks here is not the client whose manners are looked at.
    emulator.post("switches", {"polling": "off"}, "PUT")
    somebody, bodies, wrong = Somebody(emulator), house.bodies(), []
    completed = [key for key in keys if theirs[key]["status"] == "completed"]
    folder, named = house.home / "artifacts", set()
    for key in completed:
        envelope, manifest = theirs[key]["envelopeId"], bodies[key].get("archive", [])
        there = somebody.files(envelope)
        wanted = sorted(("certificate" if name == "Summary.pdf" else "document", hashlib.sha256(data).hexdigest()) for name, data in there.items())
        kept = sorted((row["kind"], row["sha256"]) for row in manifest if row["kind"] != "audit_events")
        if kept != wanted:
            wrong.append(f"{key}: archived are {kept}, and the emulator has {wanted}")
        if [row["kind"] for row in manifest].count("audit_events") != 1:
            wrong.append(f"{key}: its archive has no events, or more than one file of them")
        for row in manifest:
            file = folder / row["address"].removeprefix("file:")
            named.add(file)
            data = file.read_bytes() if file.exists() else b""
            if hashlib.sha256(data).hexdigest() != row["sha256"] or len(data) != row["bytes"]:
                wrong.append(f"{key}: {file.name} on the disk is not what its row says")
            elif row["kind"] == "audit_events" and json.loads(data) not in (said := somebody.events(envelope), said["auditEvents"]):
                wrong.append(f"{key}: the events are others than the emulator's")
    found = {file for file in folder.rglob("*") if file.is_file()} if folder.exists() else set()
    wrong += [f"a file that no archive names: {file.relative_to(folder)}" for file in sorted(found - named)]
    told = house.archivings()
    wrong += [f"{key}: the log says {told.get(key, 0)} times that it was archived" for key in completed if told.get(key) != 1]
    wrong += [f"{key}: it was archived, and is {theirs[key]['status']}" for key in told.keys() - set(completed)]
    if left := [path.name for path in house.scratch.iterdir()]:
        wrong.append(f"{len(left)} temporary files were left behind: {left[:3]}")
    return len(found), wrong


def archive_delays(house: House, theirs: dict[str, dict], keys: list[str]) -> list[float]:
    """Seconds from the completion there to the row here, both of this machine's clock."""
    rows = house.archived_at()
    return [rows[key] - moment(theirs[key]["completedDateTime"]) for key in keys if key in rows]


def taken_once(house: House, letters: list) -> list[str]:
    """Each authentic delivery is one job, whichever copy of it came first, and of nothing else there is one."""
    by_sha = {letter.sha256: letter.mark for letter in letters if letter.is_authentic}
    jobs = collections.Counter()
    wrong = []
    for args in house.args("docusign.apply_event"):
        mark = by_sha.get(args["body_sha256"])
        if mark is None:
            wrong.append(f"there is a job of a delivery that nobody signed: {args}")
        jobs[mark] += 1
    marks = set(by_sha.values())
    wrong += [f"{count} jobs of one delivery: {mark}" for mark, count in jobs.items() if count > 1]
    wrong += [f"no job of a delivery: {mark}" for mark in marks - jobs.keys()]
    kept = house.marks("door:docusign")
    if kept != len(marks):
        wrong.append(f"{kept} deliveries are marked as taken, and {len(marks)} were authentic")
    return wrong
