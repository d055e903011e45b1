"""The descriptor of a nextfs volume, read as docs/formats.md says."""

import json
import re


class Refused(Exception):
    """The volume is not as the document says."""


def check(holds, complaint):
    if not holds:
        raise Refused(complaint)


def canonical(value):
    """RFC 8785, for what descriptors hold: names in ASCII, whole numbers."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()


def whole_number(least, most):
    return lambda value: type(value) is int and least <= value <= most


def one_of(*values):
    return lambda value: type(value) in (int, str) and value in values


def text(pattern):
    return lambda value: isinstance(value, str) and re.fullmatch(
        pattern, value
    )


def hexadecimal(length):
    return text("[0-9a-f]{%d}" % (2 * length))


def label(value):
    if not isinstance(value, str):
        return False
    try:
        return len(value.encode("utf-16-le")) <= 128
    except UnicodeEncodeError:
        return False


COMMON = {
    "nextfs": one_of(1, 2),
    "id": text("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "device": one_of("std", "crypt", "verity", "vericrypt"),
    "blockSize": one_of(1024, 2048, 4096),
    "blockCount": whole_number(1, 2**32 - 1),
}
KEYED = {
    "keys": lambda value: isinstance(value, list) and 1 <= len(value) <= 16,
    "mac": hexadecimal(32),
}
JOURNAL = {"journalSize": whole_number(2**20, 2**30)}
ANCHOR = {"anchor": one_of("beside", "apart", "none")}
SLOT = {
    "id": whole_number(0, 15),
    "kind": one_of("passphrase", "keyfile"),
    "created": text(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T"
        r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z"
    ),
    "salt": hexadecimal(32),
    "wrapped": hexadecimal(40),
}
SCRYPT = {
    "n": lambda n: type(n) is int and n >= 1024 and n & (n - 1) == 0,
    "r": whole_number(1, 2**20),
    "p": whole_number(1, 16),
}


def check_fields(value, table, where):
    check(isinstance(value, dict), f"{where} is not an object")
    check(value.keys() == table.keys(), f"{where} has other fields")
    for name, holds in table.items():
        check(holds(value[name]), f"{where}: {name} is out of bounds")


def check_slot(slot, where):
    check(isinstance(slot, dict), f"{where} is not an object")
    fields = dict(SLOT)
    if slot.get("kind") == "passphrase":
        fields["scrypt"] = lambda value: True
    if "label" in slot:
        fields["label"] = label
    check_fields(slot, fields, where)
    if "scrypt" in slot:
        check_fields(slot["scrypt"], SCRYPT, f"{where}.scrypt")
        n, r = slot["scrypt"]["n"], slot["scrypt"]["r"]
        check(128 * n * r <= 2**30, f"{where}: scrypt needs too much memory")
        check(n < 2 ** (16 * r), f"{where}: scrypt has no such parameters")


def parse_descriptor(data):
    check(len(data) <= 65536, "the descriptor is too long")
    try:
        descriptor = json.loads(data.decode())
    except ValueError:
        raise Refused("the descriptor is not JSON")
    check(isinstance(descriptor, dict), "the descriptor is not an object")
    keyed = descriptor.get("device") != "std"
    fields = {**COMMON, **(KEYED if keyed else {})}
    if descriptor.get("nextfs") != 1:
        fields.update({**JOURNAL, **(ANCHOR if keyed else {})})
    check_fields(descriptor, fields, "the descriptor")
    for i, slot in enumerate(descriptor.get("keys", [])):
        check_slot(slot, f"key slot {i}")
    ids = [slot["id"] for slot in descriptor.get("keys", [])]
    check(ids == sorted(set(ids)), "key slots are not in order")
    return descriptor
