"""Verifies with PyPI's aics-tlog what `cargo run --example proofs` of the crate audit wrote; see ../proofs.

It shares no line with ours. Each proof is checked, and refused in every way in which it was changed; the tiles are checked
against the newest root, and some proofs are computed anew from them and compared.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

from aics_tlog.checkpoint import checkpoint_from_note, verify_checkpoint
from aics_tlog.hashing import EMPTY_HASH, leaf_hash
from aics_tlog.note import parse_note, parse_vkey, verify_note
from aics_tlog.tiles import FileSystemTileReader, consistency_proof_from_tiles, inclusion_proof_from_tiles
from aics_tlog.tree import verify_consistency, verify_inclusion
from aics_tlog.verified import audit_tiles

COMPUTED_ANEW = 1_000


class Count:
    def __init__(self) -> None:
        self.wrong = self.refused = 0

    def check(self, fine: bool, what: str) -> None:
        if not fine:
            self.wrong += 1
            print(f"WRONG: {what}")

    def refuses(self, taken: bool, what: str) -> None:
        self.check(not taken, f"a change was taken: {what}")
        self.refused += not taken


def flipped(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8 % 32] ^= 1 << bit % 8
    return bytes(changed)


def signed_by(note: str, keys) -> bool:
    """By one of the keys that the log had; which of them was in office is not for this library to say."""
    parsed = parse_note(note)
    return any(verify_note(parsed, [key]) and verify_checkpoint(parsed, key).log_ok for key in keys)


def checkpoints(export: Path, keys, count: Count) -> tuple[int, int]:
    newest = 0
    names = sorted((export / "checkpoints").iterdir())
    tree, _ = checkpoint_from_note((export / "checkpoint").read_text())
    for name in names:
        text = name.read_text()
        checkpoint, _ = checkpoint_from_note(text)
        newest = max(newest, checkpoint.size)
        count.check(signed_by(text, keys), f"the signature of {name}")
        count.check(name.name == f"{checkpoint.size:020}", f"the size of {name}")
        count.refuses(signed_by(text.replace("\n", "x\n", 1), keys), f"another origin in {name}")
        if checkpoint.size == 0:
            fine = checkpoint.root == EMPTY_HASH and verify_consistency(0, tree.size, checkpoint.root, tree.root, [])
            count.check(fine, "the tree without leaves")
    audited = audit_tiles(FileSystemTileReader(export), newest, tree.root, entries=False)
    count.check(tree.size == newest == audited.size, "the newest checkpoint is not the largest")
    return len(names), audited.tiles


def proofs(folder: Path, newest: int, count: Count) -> dict[str, int]:
    reader = FileSystemTileReader(folder / "export")
    done = {"inclusion": 0, "consistency": 0}
    for at, line in enumerate((folder / "proofs").read_text().splitlines()):
        kind, size, root, other, leaf, path = line.split(" ")
        size, other = int(size), int(other)
        root, leaf = base64.b64decode(root), base64.b64decode(leaf)
        path = [] if path == "-" else [base64.b64decode(one) for one in path.split(",")]
        done[kind] += 1
        if kind == "inclusion":
            verify = lambda path, root, leaf: verify_inclusion(leaf, other, size, path, root)
        else:
            verify = lambda path, root, leaf: verify_consistency(other, size, leaf, root, path)
        if at < COMPUTED_ANEW:
            make = inclusion_proof_from_tiles if kind == "inclusion" else consistency_proof_from_tiles
            count.check(make(reader, other, size, newest) == path, f"line {at + 1}: aics-tlog makes another proof")
        count.check(verify(path, root, leaf), f"line {at + 1}")
        count.refuses(verify(path, flipped(root, at), leaf), f"the root of line {at + 1}")
        count.refuses(verify(path, root, flipped(leaf, at)), f"the leaf of line {at + 1}")
        count.refuses(verify([leaf, *path], root, leaf), f"one hash more in line {at + 1}")
        if path:
            changed = list(path)
            changed[at % len(path)] = flipped(changed[at % len(path)], at)
            count.refuses(verify(changed, root, leaf), f"a hash of line {at + 1}")
            count.refuses(verify(path[1:], root, leaf), f"one hash less in line {at + 1}")
    return done


def receipts(folder: Path, keys, count: Count) -> int:
    """They are C2SP tlog-proof, for which aics-tlog has no reader; the few lines are read here."""
    names = sorted((folder / "receipts").glob("*.tlog-proof"))
    for name in names:
        entry = name.with_suffix(".line").read_bytes()
        head, _, note = name.read_text().partition("\n\n")
        first, index, *path = head.split("\n")
        index, path = int(index.removeprefix("index ")), [base64.b64decode(one) for one in path]
        tree, _ = checkpoint_from_note(note)
        count.check(first == "c2sp.org/tlog-proof@v1" and signed_by(note, keys), f"{name}")
        verify = lambda entry: verify_inclusion(leaf_hash(entry), index, tree.size, path, tree.root)
        count.check(verify(entry), f"{name}")
        count.refuses(verify(entry.replace(b'"ok"', b'"no"', 1)), f"the entry of {name}")
        other = note.replace(base64.b64encode(tree.root).decode(), base64.b64encode(bytes(32)).decode(), 1)
        count.refuses(signed_by(other, keys), f"the checkpoint of {name}")
    return len(names)


def main() -> int:
    folder, count = Path(sys.argv[1]), Count()
    lines = (folder / "export" / "keys").read_text().splitlines()
    keys = [parse_vkey(line) for line in lines if not line.startswith("#")]
    newest = checkpoint_from_note((folder / "export" / "checkpoint").read_text())[0].size
    signed, _ = checkpoints(folder / "export", keys, count)
    done = proofs(folder, newest, count)
    slips = receipts(folder, keys, count)
    figures = (done["inclusion"], done["consistency"], signed, slips, count.refused, count.wrong)
    print("| PyPI `aics-tlog` | " + " | ".join(str(figure) for figure in figures) + " |")
    return 1 if count.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
