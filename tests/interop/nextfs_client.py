"""A client of nextfs, written from docs/rpc.md alone.

It shares nothing with the project: the bytes are made and read by Debian's
cbor2, the connections are Python's own sockets, and ssl for TLS.
"""

import socket
import ssl

import cbor2

NUMBERS = {
    "device_register": 0,
    "mount": 1,
    "umount": 2,
    "cache_write_back": 4,
    "file_open": 8,
    "file_close": 10,
    "file_read": 12,
    "file_write": 13,
    "file_seek": 14,
    "file_tell": 15,
    "file_size": 16,
    "dir_rm": 17,
    "dir_mv": 18,
    "dir_mk": 19,
    "fork": 40,
    "child_attach": 41,
    "new_fdtable": 42,
    "hello": 64,
    "resolve": 65,
    "getattr": 66,
    "setattr": 67,
    "lookup": 68,
    "open": 69,
    "close": 70,
    "read": 71,
    "write": 72,
    "create": 73,
    "readdir": 74,
    "mkdir": 75,
    "mknod": 76,
    "symlink": 77,
    "link": 78,
    "unlink": 79,
    "rmdir": 80,
    "rename": 81,
    "readlink": 82,
    "statfs": 83,
    "getxattr": 84,
    "setxattr": 85,
    "listxattr": 86,
    "removexattr": 87,
    "sync": 88,
    "fsync": 89,
    "fdatasync": 90,
    "ping": 91,
    "goodbye": 92,
    "cancel": 93,
    "getLock": 94,
    "setLock": 95,
    "allocate": 96,
    "seekData": 97,
    "copyRange": 98,
    "walk": 99,
    "access": 100,
    "compound": 101,
}

ATTRIBUTES = (
    "ino generation mode nlink uid gid rdev size blocks atime mtime ctime "
    "birthtime flags"
).split()

HELLO = (
    "version maxFrame maxData maxInFlight maxDescriptors maxLocks maxTables "
    "maxEntries idleTimeout readOnly uid gid root extensions"
).split()

O_RDONLY, O_WRONLY, O_RDWR = 0, 1, 2
O_EXCL, O_TRUNC, O_APPEND, O_SYNC = 0o200, 0o1000, 0o2000, 0o4010000
O_DIRECTORY = 0o200000

FRAME_MAX = 1052672


class Refused(Exception):
    """The server answered with a status other than 0."""

    def __init__(self, status, text):
        super().__init__(f"status {status} {text}")
        self.status = status
        self.text = text


class Notice(Exception):
    """The server said something with id 0, and ends the connection."""

    def __init__(self, status, text):
        super().__init__(f"notice {status} {text}")
        self.status = status
        self.text = text


class Attributes(dict):
    """The attributes of a file, by name."""

    def __init__(self, values):
        if len(values) != len(ATTRIBUTES):
            raise ValueError(f"{len(values)} attributes")
        super().__init__(zip(ATTRIBUTES, values))

    @property
    def node(self):
        """What names the file."""
        return [self["ino"], self["generation"]]


def connect_stream(endpoint, tls=None):
    """A connected socket; `tls` has the paths of ca, cert and key, in PEM."""
    kind, _, rest = endpoint.partition(":")
    if kind == "unix":
        stream = socket.socket(socket.AF_UNIX)
        stream.connect("\0" + rest[1:] if rest.startswith("@") else rest)
        host = None
    else:
        host, _, port = rest.rpartition(":")
        host = host.strip("[]")
        stream = socket.create_connection((host, int(port)))
    stream.settimeout(60)
    if tls is None:
        return stream
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = host is not None
    context.load_verify_locations(tls["ca"])
    if tls.get("cert"):
        context.load_cert_chain(tls["cert"], tls["key"])
    context.set_alpn_protocols([tls.get("alpn", "nextfs/1")])
    return context.wrap_socket(stream, server_hostname=host)


class Client:
    """One connection.

    What was asked and answered on all connections goes into `heard`, as the
    operation and the bytes of both messages, if that is a list. Replies that come before they are asked for wait in `replies`, and
    `arrivals` has the ids in the order in which they came.
    """

    heard = None

    def __init__(self, endpoint, tls=None, hello=True):
        self.stream = connect_stream(endpoint, tls)
        self.max_frame = 256
        self.last_id = 0
        self.replies = {}
        self.arrivals = []
        self.asked = {}
        if hello:
            self.hello()

    def hello(self, version=1, frame=FRAME_MAX, in_flight=64):
        """Opens the conversation."""
        values = self.call("hello", "nextfs", version, frame, in_flight, [])
        self.limits = dict(zip(HELLO, values))
        self.max_frame = self.limits["maxFrame"]
        self.root = self.limits["root"]

    def send_bytes(self, body, length=None):
        """Sends a frame as it is."""
        prefix = len(body) if length is None else length
        self.stream.sendall(prefix.to_bytes(4, "big") + body)

    def send(self, operation, *args):
        """Sends a request; returns its id."""
        self.last_id += 1
        number = NUMBERS.get(operation, operation)
        body = cbor2.dumps([self.last_id, number, *args])
        if len(body) > self.max_frame:
            raise ValueError("too long for a frame")
        self.asked[self.last_id] = (operation, body)
        self.send_bytes(body)
        return self.last_id

    def receive(self):
        """The next message, or None at the end of the stream."""
        prefix = self.take(4)
        if prefix is None:
            return None
        length = int.from_bytes(prefix, "big")
        body = self.take(length)
        if body is None:
            raise EOFError("the stream ended within a frame")
        message = cbor2.loads(body)
        asked = self.asked.pop(message[0], None)
        if self.heard is not None and asked is not None:
            self.heard.append((*asked, body))
        return message

    def take(self, count):
        """Exactly `count` bytes, or None at the end of the stream."""
        parts = []
        while count > 0:
            part = self.stream.recv(min(count, 1 << 20))
            if not part:
                return None
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def wait(self, id_):
        """The results of the request, when its reply is there."""
        while id_ not in self.replies:
            message = self.receive()
            if message is None:
                raise EOFError("the server ended the connection")
            if message[0] == 0:
                raise Notice(*message[1:])
            self.arrivals.append(message[0])
            self.replies[message[0]] = message[1:]
        status, *results = self.replies.pop(id_)
        if status != 0:
            raise Refused(status, *results)
        return results

    def call(self, operation, *args):
        """Asks, and waits for the results."""
        return self.wait(self.send(operation, *args))

    def attributes(self, operation, *args):
        """The same where the last result is attributes."""
        return Attributes(self.call(operation, *args)[-1])

    def open(self, node, flags=O_RDONLY):
        """A descriptor for a file that exists."""
        return self.call("open", node, flags)[0]

    def create(self, parent, name, mode=0o644, flags=O_RDWR):
        """A descriptor for a new file, and its attributes."""
        descriptor, attributes = self.call("create", parent, name, mode, flags)
        return descriptor, Attributes(attributes)

    def read_all(self, descriptor):
        """All that a file holds."""
        data = b""
        while True:
            length = self.limits["maxData"]
            (part,) = self.call("read", descriptor, len(data), length)
            if not part:
                return data
            data += part

    def list(self, node, count=None):
        """The entries of a directory by name: inode number, attributes."""
        entries = {}
        cookie, end = 0, False
        while not end:
            want = count or self.limits["maxEntries"]
            found, end = self.call("readdir", node, cookie, want)
            for name, ino, cookie, attributes in found:
                if name in entries:
                    raise ValueError(f"{name} came twice")
                entries[name] = (ino, attributes and Attributes(attributes))
        return entries

    def goodbye(self):
        """Ends the conversation."""
        self.call("goodbye")
        if self.receive() is not None:
            raise ValueError("something came behind the goodbye")
        self.close()

    def close(self):
        """Just ends the connection."""
        self.stream.close()
