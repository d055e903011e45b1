"""States, anchor and journal of a nextfs volume, as docs/formats.md says."""

import hashlib
import hmac
import struct
import zlib

from volume_descriptor import canonical, check

SLOTS = [0, 4096]
RING_START = 8192
UNIT = 512
NODE = 32

# Fields of a state behind `magic` and `version`, and the gaps between them.
LAYOUT = struct.Struct("<8sII16s16sQQ32s32s32sI4x32sQQII32s32s192x32s")
NAMES = [
    "magic",
    "version",
    "blockSize",
    "id",
    "epoch",
    "generation",
    "leafCount",
    "root",
    "descriptor",
    "nextDescriptor",
    "unfinished",
    "chain",
    "sequence",
    "position",
    "blocks",
    "nodes",
    "body",
    "rootTail",
    "mac",
]
SAME = [
    "generation",
    "id",
    "chain",
    "root",
    "descriptor",
    "nextDescriptor",
    "unfinished",
]


def signer(key):
    """What makes MACs; plain digests without a key."""
    if key is None:
        return lambda data: hashlib.sha256(data).digest()
    return lambda data: hmac.new(key, data, hashlib.sha256).digest()


def read_state(data, magic, sign):
    """The authentic state in 512 bytes, or None."""
    if len(data) != 512 or sign(data[:480]) != data[480:]:
        return None
    state = dict(zip(NAMES, LAYOUT.unpack(data)))
    if state["magic"] != magic or state["version"] != 1:
        return None
    return state


def best_of(data, magic, sign, number):
    """Of the two slots, the one with the higher number."""
    best = None
    for i, at in enumerate(SLOTS):
        state = read_state(data[at : at + 512], magic, sign)
        if state is None or state[number] % 2 != i:
            continue
        if best is None or state[number] > best[number]:
            best = state
    return best


def read_anchor(data, key):
    check(len(data) == 8192, "the anchor has another size")
    best = best_of(data, b"NXTANCHR", signer(key), "generation")
    check(best is not None, "the anchor is not authentic")
    return best


def id_of(descriptor):
    return bytes.fromhex(descriptor["id"].replace("-", ""))


def check_state(state, descriptor):
    """That the state is of this volume, and of this descriptor of it."""
    check(state["unfinished"] == 0, "it is half a copy")
    check(state["id"] == id_of(descriptor), "the state is another volume's")
    for ours, its in [("blockSize", "blockSize"), ("leafCount", "blockCount")]:
        check(state[ours] == descriptor[its], f"the state has another {its}")
    if descriptor["device"] == "std":
        return
    digest = hashlib.sha256(canonical(descriptor)).digest()
    known = [state["descriptor"], state["nextDescriptor"]]
    check(digest in known, "the descriptor is not the present one")


def padded(size, unit):
    return -(-size // unit) * unit


class Journal:
    """The journal, and what of image and tree is in its records."""

    def __init__(self, data, descriptor, key):
        size = descriptor["journalSize"]
        check(len(data) == size, "the journal has another size")
        self.descriptor = descriptor
        self.keyed = key is not None
        self.sign = signer(key)
        self.ring = data[RING_START:]
        self.ring = self.ring[: len(self.ring) // UNIT * UNIT]
        self.state = best_of(data, b"NXTCHKPT", self.sign, "sequence")
        check(self.state is not None, "the journal is not authentic")
        check_checkpoint(self.state, descriptor)
        self.blocks = {}
        self.nodes = {}
        self.count = 0

    def at(self, position, size):
        position %= len(self.ring)
        first = self.ring[position : position + size]
        return first + self.ring[: size - len(first)]

    def record(self, position, before):
        """The record that follows the state before, and its size; or None."""
        state = read_state(self.at(position, 512), b"NXTRECRD", self.sign)
        if state is None or state["generation"] != before["generation"] + 1:
            return None
        for name in ["blockSize", "leafCount", "id", "epoch", "chain"]:
            if state[name] != before[name]:
                return None
        block = self.descriptor["blockSize"]
        numbers = padded(4 * state["blocks"], 8)
        tables = padded(numbers + 8 * state["nodes"], UNIT)
        values = block * state["blocks"] + NODE * state["nodes"]
        size = 512 + tables + padded(values, UNIT)
        if size > len(self.ring):
            return None
        body = self.at(position + 512, size - 512)
        if self.digest(body) != state["body"]:
            return None
        return state, size, self.contents(state, body, numbers, tables)

    def digest(self, body):
        if self.keyed:
            return hashlib.sha256(body).digest()
        return zlib.crc32(body).to_bytes(4, "little") + bytes(28)

    def contents(self, state, body, numbers, tables):
        block = self.descriptor["blockSize"]
        count = state["blocks"]
        blocks = struct.unpack_from(f"<{count}I", body)
        nodes = struct.unpack_from(f"<{state['nodes']}Q", body, numbers)
        middle = tables + block * count

        def values(keys, start, size):
            return {
                key: body[start + i * size : start + (i + 1) * size]
                for i, key in enumerate(keys)
            }

        return values(blocks, tables, block), values(nodes, middle, NODE)

    def recover(self, anchor):
        """Goes on to the state of the anchor; to the last one without."""
        position = self.state["position"]
        check(position < len(self.ring), "the checkpoint is beyond the ring")
        last = anchor["generation"] if anchor else 2**63
        used = 0
        while self.state["generation"] < last:
            found = self.record(position, self.state)
            if found is None or used + found[1] > len(self.ring):
                break
            position, used = self.take(position, used, found)
        if anchor is None:
            return
        for name in SAME:
            same = self.state[name] == anchor[name]
            check(same, f"rolled back: another {name}")
        self.check_behind(position)

    def take(self, position, used, found):
        state, size, (blocks, nodes) = found
        for number in blocks:
            check(
                number < self.descriptor["blockCount"],
                f"a record has a block {number}",
            )
        self.blocks.update(blocks)
        self.nodes.update(nodes)
        self.state = {**state, "chain": state["mac"]}
        self.count += 1
        return position + size, used + size

    def check_behind(self, position):
        """At most one record was written that was never acknowledged."""
        one = self.record(position, self.state)
        if one is None:
            return
        state = {**one[0], "chain": one[0]["mac"]}
        check(
            self.record(position + one[1], state) is None,
            "rolled back: the journal goes on behind the anchor",
        )

    def patched_image(self, image):
        size = self.descriptor["blockSize"]
        return patched(image, self.blocks, size)

    def patched_tree(self, tree):
        return patched(tree, self.nodes, NODE)


def check_checkpoint(state, descriptor):
    check(state["id"] == id_of(descriptor), "the journal is another volume's")
    for ours, its in [("blockSize", "blockSize"), ("leafCount", "blockCount")]:
        check(state[ours] == descriptor[its], f"the journal has another {its}")


def patched(data, values, size):
    data = bytearray(data)
    for number, value in values.items():
        if (number + 1) * size <= len(data):
            data[number * size : (number + 1) * size] = value
    return bytes(data)
