"""A reader of nextfs volumes, written from docs/formats.md alone.

  volume_reader.py VOLUME [--keyfile PATH | --passfile PATH]
                   [--anchor PATH] [--leaf BLOCK]

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
import sys

from aes import Aes256, Xts, xor
from volume_descriptor import Refused, canonical, check, parse_descriptor
from volume_journal import Journal, check_state, read_anchor


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
    "journal": 32,
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


def read_secrets(descriptor, kind, secret, found):
    """The keys of a volume that has some, which vouch for the descriptor."""
    check(secret is not None, "it needs a secret")
    slot, kek, master = unlock(descriptor, kind, secret)
    keys = derive(descriptor, master)
    signed = {k: v for k, v in descriptor.items() if k != "mac"}
    mac = mac_of(keys["descriptor"], canonical(signed))
    authentic = mac.hex() == descriptor["mac"]
    check(authentic, "the descriptor is not authentic")
    found["slot"] = slot["id"]
    found["kek"] = kek.hex()
    found["masterKey"] = master.hex()
    found["keys"] = {name: key.hex() for name, key in keys.items()}
    found["mac"] = mac.hex()
    return keys


def find_anchor(volume, descriptor, keys, path):
    """The anchor's state, or None if the volume has none."""
    if keys is None:
        return None
    place = descriptor.get("anchor", "beside")
    if place == "none":
        return None
    if place == "beside":
        return read_anchor(volume.read("anchor"), keys["anchor"])
    check(path is not None, "the anchor is apart")
    with open(path, "rb") as file:
        return read_anchor(file.read(), keys["anchor"])


def read_volume(path, kind, secret, leaf=None, anchor_path=None):
    volume = Volume(path)
    descriptor = parse_descriptor(volume.read("volume.json"))
    device = descriptor["device"]
    found = {"device": device}
    keys = leaves = journal = None
    if device != "std":
        keys = read_secrets(descriptor, kind, secret, found)
    state = find_anchor(volume, descriptor, keys, anchor_path)
    if descriptor["nextfs"] == 2:
        key = keys["journal"] if keys else None
        journal = Journal(volume.read("journal"), descriptor, key)
        journal.recover(state)
        state = journal.state
        found["records"] = journal.count
    if state is not None:
        check_state(state, descriptor)
        found["state"] = {
            name: value.hex() if isinstance(value, bytes) else value
            for name, value in state.items()
        }
    if device in ("verity", "vericrypt"):
        data = volume.read("tree")
        tree = Tree(data, descriptor["blockCount"], keys)
        if journal:
            tree.data = journal.patched_tree(data)
        leaves = dict(tree.verified_leaves(1, state["root"]))
        found["leaves"] = len(leaves)
        if leaf is not None:
            found["path"] = tree.path(leaf)
    image = volume.read("image")
    size = descriptor["blockSize"] * descriptor["blockCount"]
    check(len(image) == size, "the image has another size")
    if journal:
        image = journal.patched_image(image)
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
    parser.add_argument("--anchor")
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
        found = read_volume(
            arguments.volume, kind, secret, arguments.leaf, arguments.anchor
        )
    except Refused as refused:
        sys.exit(f"volume_reader: {refused}")
    json.dump(found, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
