#!/usr/bin/env python3
"""Checks an export of Compline's audit log, or an anchor, without Compline.

One file, Python 3.8 or later, nothing but the standard library, so that an auditor can read all of it before he trusts it.
README.md beside it says what the folder holds and how to run this. The formats are published ones: RFC 6962, RFC 8032, and
of C2SP signed-note, tlog-checkpoint and tlog-tiles.

It prints one line for each thing that is wrong, and ends with 0 when nothing is, 1 when something is, 2 when it cannot
read what it was given.
"""

import argparse
import base64
import binascii
import bisect
import hashlib
import json
import os
import re
import sys

WIDTH = 256
MAX_SIZE = 2**63 - 1


class Unreadable(Exception):
    """Nothing can be said about the folder."""


# Ed25519 (RFC 8032), only what verifying takes. Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def decode_point(data):
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= P:
        raise ValueError("not a point of the curve")
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        raise ValueError("not a point of the curve")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def encode_point(p):
    inverse = pow(p[2], P - 2, P)
    x, y = p[0] * inverse % P, p[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def multiples(point):
    """16 multiples for each four bits of a number: one key signs thousands of checkpoints."""
    table = []
    for _ in range(64):
        row = [(0, 1, 1, 0)]
        for _ in range(15):
            row.append(add(row[-1], point))
        table.append(row)
        point = add(row[15], point)
    return table


def times(number, table):
    point = (0, 1, 1, 0)
    for row in table:
        point = add(point, row[number & 15])
        number >>= 4
    return point


BASE = multiples(decode_point(bytes.fromhex("58" + "66" * 31)))


class Key:
    """A vkey: <name>+<number>+<base64 of 1 and the Ed25519 key>."""

    def __init__(self, vkey):
        name, number, data = (vkey.strip().split("+", 2) + ["", ""])[:3]
        try:
            raw = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            raise Unreadable(f"{vkey.strip()!r} is not a vkey: <name>+<8 hexadecimal digits>+<base64>")
        expected = hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8]
        if len(raw) != 33 or raw[0] != 1 or not name or number != expected:
            raise Unreadable(f"{vkey.strip()!r} is not the vkey of an Ed25519 key, or was copied wrongly")
        self.vkey, self.name, self.id, self.public = vkey.strip(), name, bytes.fromhex(number), raw[1:]
        try:
            x, y, z, t = decode_point(self.public)
        except ValueError as error:
            raise Unreadable(f"{vkey.strip()!r} is {error}")
        self.negated = multiples(((P - x) % P, y, z, (P - t) % P))

    def named(self, name):
        """The same key under another name."""
        raw = b"\1" + self.public
        number = hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8]
        return Key(f"{name}+{number}+{base64.b64encode(raw).decode()}")

    def verifies(self, text, signature):
        r, s = signature[:32], int.from_bytes(signature[32:], "little")
        if len(signature) != 64 or s >= L:
            return False
        h = int.from_bytes(hashlib.sha512(r + self.public + text).digest(), "little") % L
        return encode_point(add(times(s, BASE), times(h, self.negated))) == r


# The tree (RFC 6962), in tiles (C2SP tlog-tiles).


def leaf_hash(line):
    return hashlib.sha256(b"\0" + line).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def layers(hashes):
    """The complete subtrees over hashes: layer k has those over 2^k of them."""
    found = [hashes]
    while len(found[-1]) > 1:
        last = found[-1]
        found.append([node_hash(last[i], last[i + 1]) for i in range(0, len(last) - 1, 2)])
    return found


class MissingTile(Exception):
    pass


def tile_path(level, index, width=WIDTH):
    parts = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        parts.insert(0, f"x{index % 1000:03}")
    return f"tile/{level}/" + "/".join(parts) + ("" if width == WIDTH else f".p/{width}")


TILE = re.compile(r"tile/([0-9]{1,2})/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


class Tiles:
    """The tiles of a folder. Of each, the widest file counts, and narrower ones must be its beginning."""

    def __init__(self, folder, tell):
        self.folder, self.files, self.cache = folder, {}, {}
        top = os.path.join(folder, "tile")
        for place, _, names in os.walk(top):
            for name in names:
                path = os.path.relpath(os.path.join(place, name), folder).replace(os.sep, "/")
                found = TILE.fullmatch(path)
                index = int(found[2].replace("x", "").replace("/", "")) if found else 0
                width = int(found[3] or WIDTH) if found else 0
                if not found or tile_path(int(found[1]), index, width) != path:
                    tell.note(f"{path} is no tile and was passed over")
                else:
                    self.files.setdefault((int(found[1]), index), []).append(width)
        for (level, index), widths in sorted(self.files.items()):
            widths.sort()
            for width in list(widths):
                size = os.path.getsize(os.path.join(folder, tile_path(level, index, width)))
                # An anchor lets the file of a tile grow until it is full.
                growing = width == WIDTH and 0 < size < 32 * WIDTH and size % 32 == 0
                if size != 32 * width and not growing:
                    tell.problem(f"tile {tile_path(level, index, width)} has {size} bytes instead of {32 * width}")
                    widths.remove(width)
            for width in widths[:-1]:
                if self.data(level, index, width) != self.data(level, index, widths[-1])[: 32 * width]:
                    wide = tile_path(level, index, widths[-1])
                    tell.problem(f"tile {tile_path(level, index, width)} is not the beginning of {wide}")

    def data(self, level, index, width):
        with open(os.path.join(self.folder, tile_path(level, index, width)), "rb") as file:
            return file.read()

    def layers(self, level, index):
        if (level, index) not in self.cache:
            widths = self.files.get((level, index))
            if not widths:
                raise MissingTile(tile_path(level, index))
            data = self.data(level, index, widths[-1])
            if len(self.cache) > 512:
                self.cache.clear()
            self.cache[level, index] = layers([data[i : i + 32] for i in range(0, len(data), 32)])
        return self.cache[level, index]

    def hash(self, level, number):
        """The number-th hash of a level: of 256^level leaves."""
        return self.subtree(8 * level, number)

    def subtree(self, height, number):
        level, layer = divmod(height, 8)
        index, place = divmod(number, WIDTH >> layer)
        found = self.layers(level, index)
        if layer >= len(found) or place >= len(found[layer]):
            raise MissingTile(f"{tile_path(level, index)} (wide enough)")
        return found[layer][place]

    def root(self, size):
        start, parts = 0, []
        while start < size:
            height = (size - start).bit_length() - 1
            parts.append(self.subtree(height, start >> height))
            start += 1 << height
        if not parts:
            return hashlib.sha256(b"").digest()
        root = parts.pop()
        while parts:
            root = node_hash(parts.pop(), root)
        return root


# Checkpoints.


class Refused(Exception):
    """A checkpoint that says nothing, and why."""


class Checkpoint:
    def __init__(self, data, keys):
        try:
            note = data.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("is not UTF-8")
        text, empty, lines = note.rpartition("\n\n")
        text += "\n"
        if not empty or not lines.endswith("\n") or re.search(r"[\x00-\x09\x0b-\x1f]", note):
            raise Refused("is not a signed note")
        self.by = []
        for line in lines[:-1].split("\n"):
            found = re.fullmatch(r"— (\S+) ([A-Za-z0-9+/=]+)", line)
            try:
                signature = base64.b64decode(found[2], validate=True) if found else b""
            except (binascii.Error, ValueError):
                signature = b""
            if len(signature) < 5:
                raise Refused("has a line that is no signature")
            for key in keys:
                if key.name == found[1] and key.id == signature[:4]:
                    if not key.verifies(text.encode(), signature[4:]):
                        raise Refused(f"has a bad signature of {key.vkey}")
                    self.by.append(key)
        parts = text[:-1].split("\n")
        try:
            self.origin, size, root = parts[:3]
            self.size, self.root = int(size), base64.b64decode(root, validate=True)
        except (ValueError, binascii.Error):
            raise Refused("is not the lines of origin, size and root")
        if str(self.size) != size or not 0 <= self.size <= MAX_SIZE or "" in parts:
            raise Refused("is not the lines of origin, size and root")
        if len(self.root) != 32 or base64.b64encode(self.root).decode() != root:
            raise Refused("is not the lines of origin, size and root")
        if not self.by:
            raise Refused("has no signature of a known key")
        if all(key.name != self.origin for key in self.by):
            raise Refused(f"is of {self.origin}, and no key of that name has signed it")


# Keys that take each other's place: a checkpoint with a line "handover <old vkey> <new vkey>" that both have signed.


def handover_of(data):
    """Size, old and new key, where a checkpoint hands over; else None."""
    text = data.decode("utf-8", "replace").rpartition("\n\n")[0]
    lines = [line for line in text.split("\n")[3:] if line.startswith("handover ")]
    if not lines:
        return None
    try:
        (old, new), = [[Key(vkey) for vkey in line.split(" ")[1:]] for line in lines]
    except (Unreadable, ValueError):
        raise Refused("hands a key over, and the line of the keys cannot be read")
    checkpoint = Checkpoint(data, [old, new])
    if {key.vkey for key in checkpoint.by} != {old.vkey, new.vkey} or old.vkey == new.vkey:
        raise Refused("hands a key over, and not both keys have signed it")
    if old.name != checkpoint.origin or new.name != checkpoint.origin:
        raise Refused("hands a key over, and names a key of another log")
    return checkpoint.size, old, new


# Epochs: the log goes on under another name behind a restore, as a statement says that its key has signed under both.


def statement_of(data):
    """Number, how many leaves are common, how many had been signed, and the key of the new epoch."""
    text = data.decode("utf-8", "replace").rpartition("\n\n")[0]
    found = re.fullmatch(r"(.+)\n([0-9]+)\n.+\nepoch ([0-9]+) ([0-9]+) (\S+) (\S+)", text)
    if not found:
        raise Refused("is no statement of a new epoch")
    origin, common, number, signed = found[1], int(found[2]), int(found[3]), int(found[4])
    log = re.sub(r"/epoch-[0-9]+$", "", origin)
    try:
        new = Key(found[6])
    except Unreadable:
        raise Refused("names a key that cannot be read")
    names = [log if one < 2 else f"{log}/epoch-{one}" for one in (number - 1, number)]
    if number < 2 or [origin, new.name] != names or signed <= common:
        raise Refused("does not fit itself")
    before = new.named(origin)
    if len({key.vkey for key in Checkpoint(data, [before, new]).by}) != 2:
        raise Refused("is not signed by its key under both names")
    return number, common, signed, before, new


class Chain:
    """The keys that are trusted and those that they lead to by hand-overs, each for its time."""

    def __init__(self, keys, folders, tell):
        self.keys, self.since, self.until = list(keys), {key.vkey: 0 for key in keys}, {}
        found = {}
        for folder in folders:
            for place in places_of(folder):
                try:
                    handover = handover_of(read(folder, place))
                except Refused as refused:
                    tell.problem(f"checkpoint {place} {refused}")
                    continue
                if handover:
                    size, old, new = handover
                    found[size, old.vkey, new.vkey] = size, old, new, size
            for name in sorted(listing(folder, "statements")):
                try:
                    number, common, signed, old, new = statement_of(read(folder, "statements", name))
                except Refused as refused:
                    tell.problem(f"statement {name} {refused}")
                    continue
                found[signed, old.vkey, new.vkey] = signed, old, new, common
                tell.note(f"{signed - common} entries of epoch {number - 1} after {common} were lost by a restore that was declared")
        waiting = [found[at] for at in sorted(found)]
        while True:
            leads = next((one for one in waiting if one[1].vkey in self.since or one[2].vkey in self.since), None)
            if leads is None:
                return
            waiting.remove(leads)
            size, old, new, since = leads
            self.add(old, 0)
            if old.vkey in self.until:
                first, other = self.until[old.vkey]
                tell.problem(f"key {old.vkey} has handed over twice: to {other} with {first} leaves and to {new.vkey} with {size}; "
                             "one of them is a thief's")
                continue
            self.until[old.vkey] = size, new.vkey
            self.add(new, since)

    def add(self, key, since):
        if key.vkey not in self.since:
            self.keys.append(key)
            self.since[key.vkey] = since

    def checked(self, checkpoint):
        """Refuses what no key has signed in its time."""
        why = None
        for key in checkpoint.by:
            until, successor = self.until.get(key.vkey, (MAX_SIZE, ""))
            if self.since[key.vkey] <= checkpoint.size <= until:
                return checkpoint
            why = f"had handed over to {successor} with {until} leaves" if checkpoint.size > until else "was no key of the log yet"
        raise Refused(f"is signed by {checkpoint.by[-1].vkey}, which {why}")


def places_of(folder):
    places = [place for place, _ in sorted(checkpoints_in(folder, "checkpoints"), key=lambda found: found[1])]
    return places + (["checkpoint"] if os.path.exists(os.path.join(folder, "checkpoint")) else [])


class Folder:
    """An export or an anchor."""

    def __init__(self, path, chain, tell):
        if not os.path.isdir(path):
            raise Unreadable(f"{path} is no folder")
        self.path, self.tell, self.checkpoints = path, tell, {}
        names = [(place, None if place == "checkpoint" else place.rpartition("/")[2]) for place in places_of(path)]
        for place, name in names:
            try:
                checkpoint = chain.checked(Checkpoint(read(path, place), chain.keys))
                if name is not None and name != f"{checkpoint.size:020}":
                    raise Refused(f"is of size {checkpoint.size}, which is not what its name says")
            except Refused as refused:
                tell.problem(f"checkpoint {place} {refused}")
                continue
            known = self.checkpoints.setdefault(checkpoint.size, checkpoint)
            if known.root != checkpoint.root:
                tell.problem(f"checkpoint {place} is not consistent with another one of size {checkpoint.size}: "
                             "the log was signed in two versions")
            if place == "checkpoint" and checkpoint.size < max(self.checkpoints):
                tell.problem(f"checkpoint {place} is of size {checkpoint.size} and not the newest, which is of size "
                             f"{max(self.checkpoints)}")
        if not names:
            raise Unreadable(f"{path} has no checkpoint")
        origins = sorted({checkpoint.origin for checkpoint in self.checkpoints.values()})
        if len(origins) > 1:
            tell.problem("the checkpoints are of different logs: " + ", ".join(origins))
        self.origin = origins[0] if origins else None
        self.size = max(self.checkpoints, default=None)
        self.tiles = Tiles(path, tell)
        self.files = self.entry_files()
        self.first = self.files[0][0] if self.files else 0

    def entry_files(self):
        found = []
        for name in sorted(listing(self.path, "entries")):
            if re.fullmatch(r"[0-9]{20}\.jsonl", name):
                found.append((int(name[:20]), "entries/" + name))
            else:
                self.tell.note(f"entries/{name} is no file of entries and was passed over")
        return found

    def check_tiles(self):
        """Every full tile must be what the tile above it says; the uppermost ones are checked by the root."""
        misfits, level = set(), 0
        while self.size >> (8 * level):
            count = self.size >> (8 * level)
            # An export that begins later needs the leaves from there on, and of the levels above all.
            begin = self.first // WIDTH if level == 0 else 0
            for index in range(begin, -(-count // WIDTH)):
                try:
                    self.tiles.hash(level, min(count, (index + 1) * WIDTH) - 1)
                    full = (index + 1) * WIDTH <= count
                    if full and self.tiles.layers(level, index)[8][0] != self.tiles.hash(level + 1, index):
                        self.tell.problem(f"tile {tile_path(level, index)} does not fit hash {index % WIDTH} of the tile "
                                          f"above it, {tile_path(level + 1, index // WIDTH)}")
                        misfits.add((level, index))
                except MissingTile as missing:
                    self.tell.problem(f"tile {missing} is missing")
            level += 1
        return misfits

    def check_roots(self):
        unchecked = 0
        for size, checkpoint in sorted(self.checkpoints.items()):
            try:
                if self.tiles.root(size) != checkpoint.root:
                    self.tell.problem(f"checkpoint of size {size} has a root that is not the one of the first {size} leaves "
                                      "of the tree: tiles or leaves before it were changed, or it is not consistent with "
                                      "the others")
            except MissingTile as missing:
                if size < self.first:
                    unchecked += 1
                else:
                    self.tell.problem(f"checkpoint of size {size} cannot be checked: tile {missing} is missing")
        if unchecked:
            self.tell.note(f"{unchecked} checkpoints are of before leaf {self.first}, where this export begins: their "
                           "signatures were checked, their roots were not")


def checkpoints_in(folder, place):
    """Anchors put them in folders by day, so that none has a million files."""
    for name in listing(folder, place):
        inner = f"{place}/{name}"
        if os.path.isdir(os.path.join(folder, inner)):
            yield from checkpoints_in(folder, inner)
        else:
            yield inner, name


def listing(*path):
    try:
        return os.listdir(os.path.join(*path))
    except FileNotFoundError:
        return []


# Files that entries name.


HASH = re.compile("[0-9a-fA-F]{64}")


def files_of(line):
    """What an entry names in `files` of its details: names and SHA-256, and whether it has an address, and so could be taken along; and
    when the entry was made."""
    entry = object_of(line)
    details = entry.get("details")
    files = details.get("files") if isinstance(details, dict) else None
    for file in files if isinstance(files, list) else []:
        if isinstance(file, dict) and isinstance(file.get("name"), str) and HASH.fullmatch(str(file.get("sha256"))):
            yield file["name"], file["sha256"].lower(), isinstance(file.get("address"), str), moment(entry.get("at"))


MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.]([0-9]{1,9}))?Z")


def moment(text):
    """So that two can be compared; None where it is no time."""
    found = MOMENT.fullmatch(text) if isinstance(text, str) else None
    return found and found[1] + (found[2] or "").ljust(9, "0")


def named_files(folder):
    for first, path in folder.files:
        for leaf, line in enumerate(lines_of(folder.path, path), first):
            if b'"files"' in line:
                for file in files_of(line):
                    yield (leaf, *file)


def check_files(folder, place):
    """Each file there must be one that an entry names. In a folder that is called by the number of a leaf, it must be that entry's, under its
    name. In the folder of a pack none may be missing that an entry of its time names with an address, nor any that the pack says to have.
    Returns how many files fit."""
    tell, by_hash, by_leaf, addressed = folder.tell, set(), {}, {}
    for leaf, name, sha256, is_addressed, at in named_files(folder):
        by_hash.add(sha256)
        by_leaf.setdefault(leaf, {}).setdefault(name, []).append(sha256)
        if is_addressed:
            addressed[leaf, name, sha256] = at
    fit, seen, found, lying = 0, set(), set(), set()
    facts = Facts(place)
    packed, left_out = facts.packed, facts.left_out
    for top, _, names in os.walk(place):
        for name in sorted(names):
            path = os.path.relpath(os.path.join(top, name), place).replace(os.sep, "/")
            sha256 = hash_of(os.path.join(top, name))
            lying.add(sha256)
            leaf, _, rest = path.partition("/")
            home = IN_PACK.match(path)
            if home:
                found.add((int(home.group(1)), sha256))
            if re.fullmatch("[0-9]+", leaf) and rest:
                expected = by_leaf.get(int(leaf), {}).get(rest)
                seen.add((int(leaf), rest))
                if expected is None:
                    tell.problem(f"{place}/{path}: the entry of leaf {leaf} names no such file")
                elif sha256 not in expected:
                    tell.problem(f"{place}/{path} has SHA-256 {sha256}, and the entry of leaf {leaf} says {' or '.join(expected)}")
                else:
                    fit += 1
            elif sha256 not in by_hash:
                tell.problem(f"{place}/{path} has SHA-256 {sha256}, which no entry names")
            else:
                fit += 1
    leaves = {leaf for leaf, _ in seen}
    # Whoever took facts.json away, and all that lay there, left the place of a pack all the same.
    is_pack = facts.is_there or bool(leaves) or is_beside(folder.path, place)
    elsewhere, out_of_time = 0, 0
    for leaf in sorted(by_leaf):
        for name, hashes in sorted(by_leaf[leaf].items()):
            for sha256 in hashes:
                one = (leaf, name, sha256)
                # What lies under its name was told of above.
                is_told = (leaf, name) in seen and (len(hashes) == 1 or one not in packed)
                if (leaf, sha256) in found or is_told or (one in left_out and one not in packed):
                    continue
                if one in packed:
                    tell.problem(f"{place}/{leaf}/{name} is missing: facts.json says that it is in the pack")
                elif leaf in leaves:
                    tell.problem(f"{place}/{leaf}/{name} is missing: the entry of leaf {leaf} names it")
                elif one not in addressed or sha256 in lying or facts.is_without_files:
                    continue
                elif not is_pack:
                    elsewhere += 1
                elif not facts.is_of_its_time(addressed[one]):
                    out_of_time += 1
                else:
                    tell.problem(f"{place}/{leaf}/{name} is missing: the entry of leaf {leaf} names it")
    for leaf, name, sha256 in sorted(left_out):
        if sha256 in by_hash and (leaf, name) not in seen:
            tell.note(f"{place}/{leaf}/{name} is not there: {left_out[leaf, name, sha256]}, says facts.json")
    if elsewhere:
        tell.note(f"{elsewhere} files that entries name are not in {place}, which is not the folder of a pack")
    if out_of_time:
        tell.note(f"{out_of_time} files are named by entries of {facts.outside()}, and were not to be in the pack")
    if facts.is_without_files:
        tell.note(WITHOUT)
    return fit


def is_beside(log, place):
    place = os.path.abspath(place)
    return os.path.basename(place) == "files" and os.path.dirname(place) == os.path.dirname(os.path.abspath(log))


# The second of a name, or one of a long name, lies in a folder with a number behind the leaf.
IN_PACK = re.compile("([0-9]{1,19})(?:-[0-9]+)?/")
LEFT_OUT = {"gone": "gone when the pack was made", "differs": "other bytes lay in its place", "not_taken": "its name is no plain one"}
WITHOUT = "files were not taken along when the pack was made, says facts.json"


class Facts:
    """What facts.json beside a folder says to be in the pack, what not and why, and of which time it is. It is not signed: whoever removes a
    file may change it, so what it leaves out is told."""

    def __init__(self, place):
        self.is_there, self.packed, self.left_out, self.since, self.until = False, set(), {}, None, None
        try:
            facts = object_of(read(os.path.dirname(os.path.abspath(place)), "facts.json"))
        except OSError:
            facts = {}
        else:
            self.is_there = True
        self.since, self.until = moment(facts.get("from")), moment(facts.get("until"))
        asked, not_asked = 0, 0
        claims = facts.get("claims")
        for claim in claims if isinstance(claims, list) else []:
            files = claim.get("files") if isinstance(claim, dict) else None
            for file in files if isinstance(files, list) else []:
                try:
                    one, there = (int(file["leaf"]), str(file["name"]), str(file["sha256"]).lower()), str(file["there"])
                except (KeyError, ValueError, TypeError):
                    continue
                if there == "not_asked":
                    not_asked += 1
                    continue
                asked += 1
                if there == "in_the_pack":
                    self.packed.add(one)
                elif there in LEFT_OUT:
                    self.left_out[one] = LEFT_OUT[there]
        # A pack has all of them asked for, or none.
        self.is_without_files = not_asked > 0 and asked == 0

    def is_of_its_time(self, at):
        return at is None or ((self.since is None or self.since <= at) and (self.until is None or at < self.until))

    def outside(self):
        """In words."""
        told = [f"before {self.since[:19]}Z"] if self.since else []
        return " or ".join(told + ([f"from {self.until[:19]}Z on"] if self.until else []))


def note_files(folder):
    """Nobody gave a folder of files; that there are some is said."""
    addressed = sum(is_addressed for _, _, _, is_addressed, _ in named_files(folder))
    if Facts(folder.path).is_without_files:
        folder.tell.note(WITHOUT)
    elif addressed:
        folder.tell.note(f"{addressed} files that entries name were not looked at: give the folder in which they lie with --files")


def hash_of(path):
    hashed = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            hashed.update(piece)
    return hashed.hexdigest()


def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def lines_of(folder, path):
    with open(os.path.join(folder, path), "rb") as file:
        for line in file:
            yield line[:-1] if line.endswith(b"\n") else line


def object_of(line):
    """A line as JSON, or nothing. Numbers may be of any length and are not counted with."""
    try:
        found = json.loads(line, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


# Entries.


class Entries:
    """The lines against the leaves of the tree."""

    def __init__(self, folder, misfits):
        self.folder, self.tell, self.misfits = folder, folder.tell, misfits
        self.count = 0
        # Leaves whose line is not in their file, and lines that are no leaf of it, with the gap in which they stand.
        self.gone, self.aliens, self.lost = [], [], []

    def check(self):
        files = self.folder.files
        ends = [first for first, _ in files[1:]] + [max(self.folder.size, files[-1][0])]
        converted = False
        for (first, path), end in zip(files, ends):
            found = []
            for line in lines_of(self.folder.path, path):
                found.append(leaf_hash(line))
                converted = converted or line.endswith(b"\r")
            self.count += len(found)
            if len(found) > 4096:
                self.tell.problem(f"{path} has {len(found)} lines, more than 4096")
            # Where a file ends early, the next lines were perhaps lost with all of their files.
            near = min(end, first + max(2 * len(found), 4096))
            try:
                expected = self.expected(first, near, found)
            except MissingTile:
                self.tell.problem(f"{path} cannot be checked, because of a tile that is missing")
                continue
            if found != expected:
                self.compare(first, path, found, expected)
            self.lost.extend(range(near, end))
        if converted:
            self.tell.note("lines end with a carriage return: somebody converted the files, and so changed them; copy them "
                           "as they were")
        self.report()

    def expected(self, first, end, found):
        """The hashes of leaves that the tiles have. Where a tile does not fit, and the lines do, the lines count."""
        hashes = [self.folder.tiles.hash(0, leaf) for leaf in range(first, end)]
        for level, index in self.misfits:
            start, stop = index * WIDTH - first, (index + 1) * WIDTH - first
            if level == 0 and 0 <= start and stop <= len(found):
                if layers(found[start:stop])[8][0] == self.folder.tiles.hash(1, index):
                    hashes[start:stop] = found[start:stop]
        return hashes

    def compare(self, first, path, found, expected):
        """Lines that are leaves and stand in their order hold. What else there is lies in the gaps between them."""
        places = {value: leaf for leaf, value in enumerate(expected)}
        held = longest_rising([(places[value], line) for line, value in enumerate(found) if value in places])
        held_leaves, held_lines = [leaf for leaf, _ in held], [line for _, line in held]
        holds, there, seen = set(held_lines), set(found), {expected[leaf] for leaf in held_leaves}
        for line, text in enumerate(lines_of(self.folder.path, path)):
            value = found[line]
            if line in holds:
                continue
            where = f"{path} line {line + 1}"
            seq = object_of(text).get("seq", "unknown")
            if value in seen:
                self.tell.problem(f"entry with seq {seq}, {where}, is extra: it stands there twice")
            elif value in places:
                seen.add(value)
                self.tell.problem(f"entry of leaf {first + places[value]}, seq {seq}, is reordered: it stands in {where}")
            else:
                self.aliens.append(((path, bisect.bisect(held_lines, line)), value, where, seq))
        self.gone.extend(((path, bisect.bisect(held_leaves, leaf)), value, first + leaf)
                         for leaf, value in enumerate(expected) if value not in there)

    def report(self):
        homes = {value: leaf for _, value, leaf in self.gone}
        gaps = {}
        for gap, value, where, seq in self.aliens:
            if value in homes:
                self.tell.problem(f"entry of leaf {homes[value]}, seq {seq}, is reordered: it stands in {where}")
            else:
                gaps.setdefault(gap, ([], []))[0].append((where, seq))
        strayed = {value for _, value, _, _ in self.aliens}
        for gap, value, leaf in self.gone:
            if value not in strayed:
                gaps.setdefault(gap, ([], []))[1].append(leaf)
        for lines, leaves in gaps.values():
            for (where, seq), leaf in zip(lines, leaves):
                self.tell.problem(f"entry of leaf {leaf} is altered: it stands in {where} and has seq {seq} now")
            for where, seq in lines[len(leaves) :]:
                self.tell.problem(f"entry with seq {seq}, {where}, is extra: no leaf of the signed tree is there")
            self.lost.extend(leaves[len(lines) :])
        for start, stop in ranges(sorted(self.lost)):
            what = f"entry of leaf {start} is" if start == stop else f"entries of leaves {start} to {stop} are"
            self.tell.problem(f"{what} missing")


def longest_rising(pairs):
    """The longest run of pairs that rises in both; they come in the order of the second."""
    tails, last, before = [], [], [None] * len(pairs)
    for place, (value, _) in enumerate(pairs):
        at = bisect.bisect_left(tails, value)
        tails[at : at + 1] = [value]
        last[at : at + 1] = [place]
        before[place] = last[at - 1] if at else None
    run, place = [], last[-1] if last else None
    while place is not None:
        run.append(pairs[place])
        place = before[place]
    return run[::-1]


def ranges(numbers):
    """Consecutive numbers as their first and last."""
    found = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


# Personal data: commitments in entries, and what opens them.


def commitments_of(entry):
    found = []
    source, details = entry.get("source"), entry.get("details")
    if isinstance(source, str) and source.startswith("c:"):
        found.append(("source", source))
    personal = details.get("personal") if isinstance(details, dict) else None
    if isinstance(personal, dict):
        found.extend((field, value) for field, value in personal.items() if isinstance(value, str))
    return found


def commit(salt, field, value):
    field, value = field.encode(), value.encode()
    return hashlib.sha256(b"compline/personal/v1" + salt + len(field).to_bytes(8, "big") + field + value).hexdigest()


def check_openings(folder):
    """What opens must open; what was erased must be gone. Returns how many opened."""
    tell, made, erased = folder.tell, {}, set()
    for first, path in folder.files:
        for leaf, line in enumerate(lines_of(folder.path, path), first):
            if b'"c:' in line:
                entry = object_of(line)
                details = entry.get("details")
                if entry.get("action") == "audit.redact" and isinstance(details, dict):
                    listed = details.get("commitments")
                    erased.update(str(one) for one in listed if one) if isinstance(listed, list) else None
                made.update({(leaf, field, value): False for field, value in commitments_of(entry)})
    opened = 0
    for number, line in enumerate(lines_of(folder.path, "openings.jsonl"), 1):
        opening = object_of(line)
        try:
            leaf, field, value = int(opening["leaf"]), opening["field"], opening["value"]
            salt, commitment = bytes.fromhex(opening["salt"]), opening["commitment"].lower()
            computed = commit(salt, field, value)
        except (KeyError, ValueError, TypeError, AttributeError):
            tell.problem(f"openings.jsonl line {number} is no opening")
            continue
        what = f"opening of {field!r} of leaf {leaf}, openings.jsonl line {number},"
        commitment = commitment if commitment.startswith("c:") else "c:" + commitment
        if len(salt) != 32 or "c:" + computed != commitment:
            tell.problem(f"{what} does not open its commitment: salt, field or value was changed")
        elif (leaf, field, commitment) not in made:
            tell.problem(f"{what} is of a commitment that the entry does not have")
        elif commitment in erased:
            tell.problem(f"{what} is still there, though an entry says that it was erased")
        else:
            made[leaf, field, commitment] = True
            opened += 1
    closed = sum(not done and place[2] not in erased for place, done in made.items())
    if closed:
        tell.note(f"{closed} commitments have no opening here, and no entry here says that they were erased")
    return opened


# Another folder of the same log.


def check_anchor(folder, anchor):
    tell = folder.tell
    if folder.origin != anchor.origin:
        tell.problem(f"{anchor.path} is an anchor of {anchor.origin} and not of {folder.origin}")
        return
    if anchor.size > folder.size:
        tell.problem(f"{anchor.path} has a signed checkpoint of {anchor.size} leaves, and this folder ends at {folder.size}: "
                     "the newest entries are missing, or it is older than the anchor and has to be made again")
    for size, checkpoint in sorted(anchor.checkpoints.items()):
        ours = folder.checkpoints.get(size)
        try:
            fits = (ours is None or ours.root == checkpoint.root) and (
                size > folder.size or folder.tiles.root(size) == checkpoint.root)
        except MissingTile:
            fits = size < folder.first
        if not fits:
            tell.problem(f"checkpoint of size {size} of {anchor.path} is not consistent with this folder: the log was "
                         "rewritten after it was anchored")
    for size, checkpoint in sorted(folder.checkpoints.items()):
        try:
            if size <= anchor.size and anchor.tiles.root(size) != checkpoint.root:
                tell.problem(f"checkpoint of size {size} is not the root of the tiles of {anchor.path}")
        except MissingTile:
            # An anchor may hold fewer tiles; its checkpoints were compared above.
            continue
    for level, index in sorted(anchor.tiles.files):
        if level or (level, index) not in folder.tiles.files:
            continue
        theirs, ours = anchor.tiles.layers(level, index)[0], folder.tiles.layers(level, index)[0]
        for place, (their, our) in enumerate(zip(theirs, ours)):
            leaf = index * WIDTH + place
            if their != our and leaf < min(anchor.size, folder.size):
                tell.problem(f"leaf {leaf}{seq_of(folder, leaf)} is another one in {anchor.path}: the entry was changed after "
                             "it was anchored")


def seq_of(folder, leaf):
    at = bisect.bisect_right([first for first, _ in folder.files], leaf) - 1
    if at < 0:
        return ""
    first, path = folder.files[at]
    for number, line in enumerate(lines_of(folder.path, path), first):
        if number == leaf:
            return f", {path} line {leaf - first + 1}, which has seq {object_of(line).get('seq', 'unknown')} now,"
    return ""


class Tell:
    def __init__(self, problems, about=""):
        self.problems, self.about = problems, about

    def problem(self, text):
        self.problems.append(text)
        print(f"WRONG: {self.about}{text}")

    def note(self, text):
        print(f"note: {self.about}{text}")


def keys_of(args, folder, tell):
    if args.keys:
        lines = read(args.keys).decode("utf-8").splitlines()
    elif args.key:
        lines = []
    else:
        places = [os.path.join("keys", name) for name in sorted(listing(folder, "keys"))] \
            if os.path.isdir(os.path.join(folder, "keys")) else ["keys"]
        lines = [line for place in places for line in read(folder, place).decode("utf-8").splitlines()]
        tell.note("the keys are those of the folder itself; whoever made a false folder made them too. Get the log's key from "
                  "somewhere else and give it with --key")
    lines = [line for line in lines + args.key if line.strip() and not line.startswith("#")]
    if not lines:
        raise Unreadable("there is no key")
    return [Key(line) for line in lines]


def verify(args, tell):
    keys = keys_of(args, args.folder, tell)
    chain = Chain(keys, [args.folder] + args.anchor, tell)
    if len(chain.keys) > len(keys):
        tell.note(f"{len(chain.keys) - len(keys)} other keys are trusted, each for its time, since keys that are trusted handed over")
    folder = Folder(args.folder, chain, tell)
    if folder.size is None:
        tell.problem("no checkpoint can be trusted, so nothing else was checked")
        return None
    misfits = folder.check_tiles()
    folder.check_roots()
    told = f"{len(folder.checkpoints)} checkpoints of {folder.origin}, the newest of {folder.size} leaves"
    if folder.files:
        entries = Entries(folder, misfits)
        entries.check()
        told += f"; {entries.count} entries from leaf {folder.first} on"
    elif os.path.isdir(os.path.join(args.folder, "entries")) and folder.size:
        tell.problem(f"entries of leaves 0 to {folder.size - 1} are missing")
    else:
        tell.note("the folder has no entries, as an anchor has none: only tiles and checkpoints were checked")
    if os.path.exists(os.path.join(args.folder, "openings.jsonl")):
        told += f"; {check_openings(folder)} openings"
    if not args.files:
        note_files(folder)
    for place in args.files:
        # A pack for which nothing could be taken along has no such folder.
        if not os.path.isdir(place) and not Facts(place).is_there:
            raise Unreadable(f"{place} is no folder")
        told += f"; {check_files(folder, place)} files of {place} are what entries say"
    for place in args.anchor:
        anchor = Folder(place, chain, Tell(tell.problems, f"{place}: "))
        if anchor.size is None:
            tell.problem(f"no checkpoint of {place} can be trusted")
        else:
            anchor.check_tiles()
            anchor.check_roots()
            check_anchor(folder, anchor)
            told += f"; compared with {place} of {anchor.size} leaves"
    return told


def main():
    parser = argparse.ArgumentParser(description="Checks an export of Compline's audit log, or an anchor. README.md says more.")
    parser.add_argument("folder", nargs="?", default=os.path.dirname(os.path.abspath(__file__)),
                        help="the export or anchor (otherwise the folder of this file)")
    parser.add_argument("--key", action="append", default=[], metavar="VKEY", help="a key that you trust; repeat it for more")
    parser.add_argument("--keys", metavar="FILE", help="a file of keys that you trust, one in a line")
    parser.add_argument("--files", action="append", default=[], metavar="FOLDER",
                        help="files that entries name, which are compared with what the entries say of them")
    parser.add_argument("--anchor", action="append", default=[], metavar="FOLDER", help="another folder of the same log")
    args, tell = parser.parse_args(), Tell([])
    try:
        told = verify(args, tell)
    except (Unreadable, OSError, UnicodeDecodeError) as error:
        print(f"cannot be read: {error}", file=sys.stderr)
        return 2
    if tell.problems:
        print(f"{len(tell.problems)} things are wrong" + (f" ({told})" if told else ""))
        return 1
    print(f"all is well: {told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
