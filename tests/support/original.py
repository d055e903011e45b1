"""The formats of the original server, once more and independently.

Written from their description with nothing but Python's standard library, to
be compared with what nextfs makes. Reads a JSON array of jobs from standard
input, does them, and prints a JSON array of their results:

  {"do": "tree", "image": PATH, "tree": PATH, "algorithm": NAME,
   "blockSize": N, "key": TEXT or null}              -> the root, as hex
  {"do": "encrypt", "from": PATH, "to": PATH, "cipher": NAME,
   "blockSize": N, "password": TEXT}                 -> the key, as hex
  {"do": "block", "cipher": NAME, "key": HEX, "number": N, "block": HEX}
                                                     -> the block, encrypted
  {"do": "aes", "key": HEX, "block": HEX}            -> 16 bytes, encrypted
"""

import hashlib
import hmac
import json
import sys

from aes import Aes256, Xts, xor


def digest(algorithm, key, data):
    if key is None:
        return hashlib.new(algorithm, data).digest()
    return hmac.new(key, data, algorithm).digest()


def blocks_of(path, block_size):
    with open(path, "rb") as file:
        data = file.read()
    assert len(data) % block_size == 0, "a short last block"
    return [
        data[at : at + block_size] for at in range(0, len(data), block_size)
    ]


def make_tree(job):
    """A complete binary tree as an array: the children of i at 2i+1, 2i+2."""
    key = None if job["key"] is None else job["key"].encode()
    blocks = blocks_of(job["image"], job["blockSize"])
    inner = len(blocks) - 1
    nodes = [None] * inner
    nodes += [digest(job["algorithm"], key, block) for block in blocks]
    for i in reversed(range(inner)):
        children = nodes[2 * i + 1] + nodes[2 * i + 2]
        nodes[i] = digest(job["algorithm"], key, children)
    with open(job["tree"], "wb") as file:
        file.write(b"".join(nodes))
    return nodes[0].hex()


def encrypt_xts(key, number, block):
    return Xts(key).encrypt(number, block)


def encrypt_cbc(key, number, block):
    """Cipher block chaining (NIST SP 800-38A, 6.2), IV = block number."""
    cipher = Aes256(key)
    pieces = [number.to_bytes(16, "little")]
    for at in range(0, len(block), 16):
        pieces.append(cipher.encrypt(xor(block[at : at + 16], pieces[-1])))
    return b"".join(pieces[1:])


CIPHERS = {"aes-256-xts": (64, encrypt_xts), "aes-256-cbc": (32, encrypt_cbc)}


def encrypt_image(job):
    length, encrypt = CIPHERS[job["cipher"]]
    password = job["password"].encode()
    key = hashlib.pbkdf2_hmac("sha256", password, b"", 1000, length)
    blocks = blocks_of(job["from"], job["blockSize"])
    with open(job["to"], "wb") as file:
        for number, block in enumerate(blocks):
            file.write(encrypt(key, number, block))
    return key.hex()


def encrypt_block(job):
    _, encrypt = CIPHERS[job["cipher"]]
    key, block = bytes.fromhex(job["key"]), bytes.fromhex(job["block"])
    return encrypt(key, job["number"], block).hex()


def encrypt_unit(job):
    cipher = Aes256(bytes.fromhex(job["key"]))
    return cipher.encrypt(bytes.fromhex(job["block"])).hex()


JOBS = {
    "tree": make_tree,
    "encrypt": encrypt_image,
    "block": encrypt_block,
    "aes": encrypt_unit,
}

if __name__ == "__main__":
    results = [JOBS[job["do"]](job) for job in json.load(sys.stdin)]
    json.dump(results, sys.stdout)
