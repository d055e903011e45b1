"""AES-256 (FIPS 197), and XTS on it (IEEE 1619), in nothing but Python.

For what is compared with nextfs: slow, simple, and not for secrets.
"""

import struct


def xtime(a):
    """Times x in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197, 4.2)."""
    a <<= 1
    return a ^ 0x11B if a & 0x100 else a


def times(a, b):
    """The product of two elements of GF(2^8)."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = xtime(a)
        b >>= 1
    return product


def make_sbox():
    """The S-box (FIPS 197, 5.1.1)."""
    powers = [1]
    for _ in range(254):
        # 3 generates the multiplicative group.
        powers.append(powers[-1] ^ xtime(powers[-1]))
    logarithm = {power: i for i, power in enumerate(powers)}
    sbox = []
    for a in range(256):
        inverse = powers[-logarithm[a] % 255] if a else 0
        s = 0x63
        for turn in range(5):
            s ^= (inverse << turn | inverse >> 8 - turn) & 0xFF
        sbox.append(s)
    return sbox


def make_tables(box, column):
    """The S-box `box` and then the mixing of columns, as tables of words.

    `column` is what a first byte of 1 contributes to its column.
    """
    tables = [[], [], [], []]
    for s in box:
        mixed = [times(s, factor) for factor in column]
        for turn in range(4):
            turned = mixed[-turn:] + mixed[:-turn] if turn else mixed
            tables[turn].append(int.from_bytes(bytes(turned), "big"))
    return tables


SBOX = make_sbox()
INVERSE_SBOX = [SBOX.index(s) for s in range(256)]
ENCRYPTION = make_tables(SBOX, [2, 1, 1, 3])
DECRYPTION = make_tables(INVERSE_SBOX, [14, 9, 13, 11])
# The mixing of columns alone, for the keys of decryption.
UNMIXING = make_tables(range(256), [14, 9, 13, 11])


def mix(tables, word):
    return (
        tables[0][word >> 24]
        ^ tables[1][word >> 16 & 255]
        ^ tables[2][word >> 8 & 255]
        ^ tables[3][word & 255]
    )


def substitute(box, a, b, c, d):
    return (
        box[a >> 24] << 24
        | box[b >> 16 & 255] << 16
        | box[c >> 8 & 255] << 8
        | box[d & 255]
    )


def expand(key):
    """The 60 words of the key schedule (FIPS 197, 5.2)."""
    words = list(struct.unpack(">8I", key))
    constant = 1
    for i in range(8, 60):
        word = words[-1]
        if i % 8 == 0:
            word = (word << 8 | word >> 24) & 0xFFFFFFFF
        if i % 4 == 0:
            word = substitute(SBOX, word, word, word, word)
        if i % 8 == 0:
            word ^= constant << 24
            constant = xtime(constant)
        words.append(words[-8] ^ word)
    return words


def permute(words, keys, tables, box):
    """All rounds, on the four words of a block."""
    t0, t1, t2, t3 = tables
    a, b, c, d = (word ^ key for word, key in zip(words, keys))
    for i in range(4, 56, 4):
        a, b, c, d = (
            t0[a >> 24] ^ t1[b >> 16 & 255] ^ t2[c >> 8 & 255] ^ t3[d & 255]
            ^ keys[i],
            t0[b >> 24] ^ t1[c >> 16 & 255] ^ t2[d >> 8 & 255] ^ t3[a & 255]
            ^ keys[i + 1],
            t0[c >> 24] ^ t1[d >> 16 & 255] ^ t2[a >> 8 & 255] ^ t3[b & 255]
            ^ keys[i + 2],
            t0[d >> 24] ^ t1[a >> 16 & 255] ^ t2[b >> 8 & 255] ^ t3[c & 255]
            ^ keys[i + 3],
        )
    return (
        substitute(box, a, b, c, d) ^ keys[56],
        substitute(box, b, c, d, a) ^ keys[57],
        substitute(box, c, d, a, b) ^ keys[58],
        substitute(box, d, a, b, c) ^ keys[59],
    )


class Aes256:
    """One key, for single blocks of 16 bytes."""

    def __init__(self, key):
        assert len(key) == 32
        self.keys = expand(key)
        # The equivalent inverse cipher (FIPS 197, 5.3.5): the keys from the
        # last round to the first, those between the ends unmixed. Rows shift
        # the other way, which is the same way once the words b and d of
        # everything have changed places.
        rounds = [self.keys[at : at + 4] for at in range(56, -1, -4)]
        for words in rounds[1:-1]:
            words[:] = [mix(UNMIXING, word) for word in words]
        self.inverse_keys = [
            word for a, b, c, d in rounds for word in (a, d, c, b)
        ]

    def encrypt(self, block):
        words = struct.unpack(">4I", block)
        return struct.pack(">4I", *permute(words, self.keys, ENCRYPTION, SBOX))

    def decrypt(self, block):
        a, d, c, b = struct.unpack(">4I", block)
        a, d, c, b = permute(
            (a, b, c, d), self.inverse_keys, DECRYPTION, INVERSE_SBOX
        )
        return struct.pack(">4I", a, b, c, d)


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


class Xts:
    """AES-256-XTS over whole units, so that no ciphertext is stolen."""

    def __init__(self, key):
        assert len(key) == 64
        self.cipher = Aes256(key[:32])
        self.tweak_cipher = Aes256(key[32:])

    def encrypt(self, number, block):
        return self.run(self.cipher.encrypt, number, block)

    def decrypt(self, number, block):
        return self.run(self.cipher.decrypt, number, block)

    def run(self, permutation, number, block):
        """One data unit (IEEE 1619-2018, 5.3 and 5.4)."""
        mask = self.tweak_cipher.encrypt(number.to_bytes(16, "little"))
        units = []
        for at in range(0, len(block), 16):
            units.append(xor(permutation(xor(block[at : at + 16], mask)), mask))
            doubled = int.from_bytes(mask, "little") << 1
            if doubled >> 128:
                doubled ^= 1 << 128 | 0x87
            mask = doubled.to_bytes(16, "little")
        return b"".join(units)
