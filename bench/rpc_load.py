"""The load generator: sends requests that were made before, counts replies.

It is in Python because its blocking sockets cost less than half of what a
runtime's asynchronous ones do, which leaves the processor to the server; the
standard library is all it needs. It knows of the protocol that a frame begins
with its length, and where a status is.

Takes jobs from its standard input, a line of JSON each (see rpc_job.ts), and
answers each with a line of what it took.
"""

import json
import signal
import socket
import ssl
import sys
import time

# Milliseconds of processor time in a tick of /proc (proc(5)).
TICK_MS = 10
# A job that takes longer waits for a reply that does not come. A time-out of
# each read would cost more.
TIMEOUT_S = 60
# Requests between two looks at the clock.
STRIDE = 32
# Length, head of the array, an id of three bytes: then comes the status.
STATUS_AT = 8


def processor_ms(pid):
    """Processor time that a process has taken."""
    with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_MS


def connect(job):
    """Connects to unix:PATH, unix:@NAME, tcp:HOST:PORT or tls:HOST:PORT."""
    kind, _, where = job["endpoint"].partition(":")
    if kind == "unix":
        raw = socket.socket(socket.AF_UNIX)
        raw.connect("\0" + where[1:] if where[0] == "@" else where)
    else:
        host, _, port = where.rpartition(":")
        raw = socket.create_connection((host, int(port)))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tls = job.get("tls")
    if tls is None:
        return raw
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(tls["ca"])
    context.load_cert_chain(tls["cert"], tls["key"])
    context.set_alpn_protocols(["nextfs/1"])
    return context.wrap_socket(raw)


class Load:
    """One connection, and the requests that go over it again and again."""

    def __init__(self, job):
        self.socket = connect(job)
        self.is_secret = "tls" in job
        self.window = job["window"]
        self.reply_size = job.get("replySize")
        self.buffer = bytearray(1 << 21)
        with open(job["requests"], "rb") as file:
            everything = memoryview(file.read())
        ends = job["ends"]
        starts = [0, *ends]
        frames = [everything[a:b] for a, b in zip(starts, ends)]
        before = job["before"]
        for frame in frames[:before]:
            self.socket.sendall(frame)
            self.read_frame()
        self.frames = frames[before:]
        # The same, as many together as one write takes along.
        self.bytes = everything[ends[before - 1] if before else 0 :]
        first = len(everything) - len(self.bytes)
        self.ends = [end - first for end in ends[before:]]
        self.next = 0

    def read_frame(self):
        """Reads one reply, which must be a success."""
        view = memoryview(self.buffer)
        end = 0
        while end < 4 or end < 4 + int.from_bytes(view[:4], "big"):
            count = self.socket.recv_into(view[end:])
            if count == 0:
                raise EOFError("the server ended the connection")
            end += count
        if self.buffer[STATUS_AT] != 0:
            raise ValueError(f"a request failed: {self.buffer[:end].hex()}")

    def run(self, count, seconds):
        """Does so many requests, or as many as the time allows."""
        began = time.perf_counter()
        end = began + seconds
        if self.window == 1:
            done = self.run_single(count, end)
        else:
            done = self.run_window(count, end)
        return {"count": done, "ms": (time.perf_counter() - began) * 1000}

    def run_single(self, count, end):
        """One request after the other."""
        send, receive = self.socket.sendall, self.socket.recv_into
        frames, buffer, size = self.frames, self.buffer, self.reply_size
        # TLS has no such flag.
        flags = 0 if self.is_secret else socket.MSG_WAITALL
        done = 0
        while done < count and time.perf_counter() < end:
            for _ in range(min(STRIDE, count - done)):
                send(frames[self.next])
                self.next = (self.next + 1) % len(frames)
                if size is None:
                    self.read_frame()
                    continue
                received = receive(buffer, size, flags)
                while received < size:
                    received += receive(buffer, size - received, flags)
            done += min(STRIDE, count - done)
        return done

    def run_window(self, count, end):
        """Keeps several requests in flight."""
        send, receive = self.socket.sendall, self.socket.recv_into
        buffer, size = self.buffer, self.reply_size
        replies = Replies() if size is None else None
        sent = done = received = 0
        while True:
            is_over = time.perf_counter() >= end
            while not is_over and sent < count and sent - done < self.window:
                wanted = min(self.window - (sent - done), count - sent)
                first = self.next
                last = min(first + wanted, len(self.ends))
                start = self.ends[first - 1] if first else 0
                send(self.bytes[start : self.ends[last - 1]])
                sent += last - first
                self.next = last % len(self.ends)
            if sent == done:
                return done
            length = receive(buffer)
            if replies is not None:
                done += replies.count(buffer, length)
            else:
                received += length
                done = received // size


class Replies:
    """Counts frames of any length in what arrives."""

    def __init__(self):
        self.rest = b""

    def count(self, buffer, length):
        """Returns how many have ended; all of them must be successes."""
        data = self.rest + buffer[:length]
        at = ended = 0
        while at + 4 <= len(data):
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if end > len(data):
                break
            if data[at + STATUS_AT] != 0:
                raise ValueError(f"a request failed: {data[at:end].hex()}")
            at = end
            ended += 1
        self.rest = data[at:]
        return ended


def run(job):
    """Carries a job out."""
    # Without a handler of its own it ends the process.
    signal.alarm(TIMEOUT_S)
    load = Load(job)
    count = job.get("count") or sys.maxsize
    seconds = job.get("ms", 3_600_000) / 1000
    load.run(sys.maxsize, job.get("warmUpMs", 0) / 1000)
    server, client = processor_ms(job["pid"]), time.process_time()
    result = load.run(count, seconds)
    result["serverMs"] = processor_ms(job["pid"]) - server
    result["clientMs"] = (time.process_time() - client) * 1000
    load.socket.close()
    signal.alarm(0)
    return result


for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)
