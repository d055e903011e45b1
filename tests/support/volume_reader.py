"""A reader of nextfs volumes, written from docs/formats.md alone.

  volume_reader.py VOLUME [--keyfile PATH | --passfile PATH] [--leaf BLOCK]

Verifies everything there is to verify, and prints a JSON object: what was
derived on the way, the SHA-256 of the plaintext and, with --leaf, the path of
that leaf. Exits with 1 and one line on standard error if anything is not as
the document says. Needs nothing but Python's standard library.
"""

import argparse
import hashlib
import hmac
import json
import os
import struct
import sys

from aes import Aes256, Xts, xor
from volume_descriptor import Refused, canonical, check, parse_descriptor


def mac_of(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf(secret, salt, label, length):
    """RFC 5869, with SHA-256."""
    pseudorandom = mac_of(salt, secret)
    output = block = b""
    while len(output) < length:
        count = bytes([len(output) // 32 + 1])
        block = mac_of(pseudorandom, block + label.encode() + count)
        output += block
    return output[:length]


def unwrap(kek, wrapped):
    """RFC 3394, section 2.2.2; None if the key is not the right one."""
    cipher = Aes256(kek)
    a, *registers = [wrapped[at : at + 8] for at in range(0, len(wrapped), 8)]
    n = len(registers)
    for turn in range(6 * n, 0, -1):
        i = (turn - 1) % n
        block = cipher.decrypt(
            xor(a, turn.to_bytes(8, "big")) + registers[i]
        )
        a, registers[i] = block[:8], block[8:]
    return b"".join(registers) if a == b"\xa6" * 8 else None


# Keys.

LABELS = {
    "image": 64,
    "leaf": 32,
    "node": 32,
    "descriptor": 32,
    "anchor": 32,
    "rekey": 32,
}


def slot_key(slot, secret):
    salt = bytes.fromhex(slot["salt"])
    if slot["kind"] == "keyfile":
        return hkdf(secret, salt, "nextfs/1 keyfile", 32)
    cost = slot["scrypt"]
    return hashlib.scrypt(
        secret, salt=salt, dklen=32, maxmem=2**31 - 1, **cost
    )


def unlock(descriptor, kind, secret):
    """The slot that fits, the key it is wrapped by, and the master key."""
    for slot in descriptor["keys"]:
        if slot["kind"] == kind:
            kek = slot_key(slot, secret)
            master = unwrap(kek, bytes.fromhex(slot["wrapped"]))
            if master is not None:
                return slot, kek, master
    raise Refused("the secret opens no key slot")


def derive(descriptor, master):
    salt = bytes.fromhex(descriptor["id"].replace("-", ""))
    return {
        name: hkdf(master, salt, f"nextfs/1 {name}", length)
        for name, length in LABELS.items()
    }


# The anchor.

ANCHOR = struct.Struct("<8sII16s16sQQ32s32s32sI")


def read_anchor(data, key):
    """The authentic state with the highest generation."""
    check(len(data) == 8192, "the anchor has another size")
    best = None
    for i, at in enumerate([0, 4096]):
        slot = data[at : at + 512]
        if mac_of(key, slot[:480]) != slot[480:]:
            continue
        magic, version, *values = ANCHOR.unpack_from(slot)
        names = ["blockSize", "id", "epoch", "generation", "leafCount"]
        names += ["root", "descriptor", "nextDescriptor", "unfinished"]
        state = dict(zip(names, values))
        if magic != b"NXTANCHR" or version != 1:
            continue
        if state["generation"] % 2 != i:
            continue
        if best is None or state["generation"] > best["generation"]:
            best = state
    check(best is not None, "the anchor is not authentic")
    return best


def check_anchor(state, descriptor):
    check(state["unfinished"] == 0, "it is half a copy")
    salt = bytes.fromhex(descriptor["id"].replace("-", ""))
    check(state["id"] == salt, "the anchor is another volume's")
    for ours, its in [("blockSize", "blockSize"), ("leafCount", "blockCount")]:
        check(state[ours] == descriptor[its], f"the anchor has another {its}")
    digest = hashlib.sha256(canonical(descriptor)).digest()
    known = [state["descriptor"], state["nextDescriptor"]]
    check(digest in known, "the descriptor is not the present one")


# The hash tree.

ZERO = bytes(32)


class Tree:
    def __init__(self, data, leaf_count, keys):
        self.data = data
        self.keys = keys
        self.leaf_count = leaf_count
        self.tiers = 1
        while 64**self.tiers < leaf_count:
            self.tiers += 1
        self.first_leaf = 64**self.tiers
        above = sum(64**tier for tier in range(self.tiers - 1))
        size = 4096 * (above + -(-leaf_count // 64))
        check(len(data) == size, "the tree has another size")

    def place(self, node):
        """Page and slot of a node other than the root."""
        level = node.bit_length() - 1
        tier = (level - 1) // 6
        depth = level - 6 * tier
        page = sum(64**t for t in range(tier)) + (node >> depth) - 64**tier
        return page, 2**depth + node % 2**depth

    def value(self, node):
        page, slot = self.place(node)
        at = 4096 * page + 32 * slot
        return self.data[at : at + 32]

    def verified_leaves(self, node, value):
        """The leaves in use below a node whose value is trusted."""
        if value == ZERO:
            return
        if node >= self.first_leaf:
            block = node - self.first_leaf
            check(block < self.leaf_count, "a leaf without a block is in use")
            yield block, value
            return
        pair = [self.value(2 * node), self.value(2 * node + 1)]
        parent = mac_of(self.keys["node"], b"".join(pair))
        check(parent == value, f"the tree does not verify below node {node}")
        for i in range(2):
            yield from self.verified_leaves(2 * node + i, pair[i])

    def path(self, leaf):
        nodes = []
        node = self.first_leaf + leaf
        while node > 1:
            page, slot = self.place(node)
            nodes.append({
                "node": node,
                "page": page,
                "slot": slot,
                "value": self.value(node).hex(),
                "sibling": self.value(node ^ 1).hex(),
            })
            node //= 2
        return nodes


# The image.


def plaintext_blocks(image, descriptor, keys, leaves):
    """All blocks; `leaves` are those in use and their hashes, or None."""
    size = descriptor["blockSize"]
    zeros = bytes(size)
    xts = descriptor["device"] in ("crypt", "vericrypt") and Xts(keys["image"])
    for number in range(descriptor["blockCount"]):
        block = image[number * size : (number + 1) * size]
        if leaves is not None:
            if number not in leaves:
                yield zeros
                continue
            leaf = mac_of(keys["leaf"], block)
            check(leaf == leaves[number], f"block {number} does not verify")
        yield xts.decrypt(number, block) if xts and block != zeros else block


class Volume:
    """The files of a volume; a replacement that counts comes first."""

    def __init__(self, path):
        self.path = path

    def read(self, name):
        replacement = os.path.join(self.path, "rekeyed", name)
        path = os.path.join(self.path, name)
        if os.path.exists(replacement):
            path = replacement
        check(os.path.isfile(path), f"there is no {name}")
        with open(path, "rb") as file:
            return file.read()


def read_volume(path, kind, secret, leaf):
    volume = Volume(path)
    descriptor = parse_descriptor(volume.read("volume.json"))
    device = descriptor["device"]
    found = {"device": device}
    keys = leaves = None
    if device != "std":
        check(secret is not None, "it needs a secret")
        slot, kek, master = unlock(descriptor, kind, secret)
        keys = derive(descriptor, master)
        signed = {k: v for k, v in descriptor.items() if k != "mac"}
        mac = mac_of(keys["descriptor"], canonical(signed))
        authentic = mac.hex() == descriptor["mac"]
        check(authentic, "the descriptor is not authentic")
        anchor = read_anchor(volume.read("anchor"), keys["anchor"])
        check_anchor(anchor, descriptor)
        found["slot"] = slot["id"]
        found["kek"] = kek.hex()
        found["masterKey"] = master.hex()
        found["keys"] = {name: key.hex() for name, key in keys.items()}
        found["mac"] = mac.hex()
        found["anchor"] = {
            name: value.hex() if isinstance(value, bytes) else value
            for name, value in anchor.items()
        }
        if device in ("verity", "vericrypt"):
            tree = Tree(volume.read("tree"), descriptor["blockCount"], keys)
            leaves = dict(tree.verified_leaves(1, anchor["root"]))
            found["leaves"] = len(leaves)
            if leaf is not None:
                found["path"] = tree.path(leaf)
    image = volume.read("image")
    size = descriptor["blockSize"] * descriptor["blockCount"]
    check(len(image) == size, "the image has another size")
    digest = hashlib.sha256()
    for block in plaintext_blocks(image, descriptor, keys, leaves):
        digest.update(block)
    found["plaintext"] = digest.hexdigest()
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("volume")
    parser.add_argument("--keyfile")
    parser.add_argument("--passfile")
    parser.add_argument("--leaf", type=int)
    arguments = parser.parse_args()
    secret = None
    path = arguments.keyfile or arguments.passfile
    if path:
        with open(path, "rb") as file:
            secret = file.read()
    if arguments.passfile:
        secret = secret.removesuffix(b"\n")
    kind = "keyfile" if arguments.keyfile else "passphrase"
    try:
        found = read_volume(arguments.volume, kind, secret, arguments.leaf)
    except Refused as refused:
        sys.exit(f"volume_reader: {refused}")
    json.dump(found, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
