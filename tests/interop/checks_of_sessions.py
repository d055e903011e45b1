"""Checks of the client in Python: the conversation, locks, compounds."""

from check_support import (
    EAGAIN,
    EBADF,
    ECANCELED,
    EDEADLK,
    EEXIST,
    EINVAL,
    EISDIR,
    ELOOP,
    ENAMETOOLONG,
    ENOENT,
    ENOSYS,
    ENOTDIR,
    ENOTEMPTY,
    EPROTO,
    ESTALE,
    fresh,
    refused,
    same,
)
from nextfs_client import (
    Attributes,
    O_DIRECTORY,
    O_EXCL,
    O_RDONLY,
    O_RDWR,
    O_TRUNC,
)


def check_hello(connect):
    """hello says what holds, and ping does nothing"""
    client = connect()
    limits = client.limits
    same(limits["version"], 1)
    same(limits["maxFrame"] <= 1052672, True)
    same(limits["maxData"] < limits["maxFrame"], True)
    same(limits["maxInFlight"], 64)
    same(limits["readOnly"], False)
    same(type(limits["extensions"]), list)
    same(client.call("ping"), [])
    root = client.attributes("getattr", client.root)
    same(root.node, client.root)
    same(root["mode"] & 0o170000, 0o040000)
    client.goodbye()


def check_later_version(connect):
    """a client of a later version is answered with version 1"""
    client = connect(hello=False)
    client.hello(version=7, frame=16384, in_flight=1)
    same(client.limits["version"], 1)
    same(client.limits["maxFrame"], 16384)
    same(client.limits["maxInFlight"], 1)
    client.goodbye()


def check_refusals(connect):
    """what is wrong is refused by its status, and the conversation goes on"""
    client = connect()
    home = fresh(client, b"refusals")
    descriptor, file = client.create(home, b"file")
    call = client.call
    refused(EEXIST, call, "mkdir", home, b"file", 0o755)
    refused(EEXIST, call, "create", home, b"file", 0o644, O_RDWR | O_EXCL)
    refused(ENOTDIR, call, "lookup", file.node, b"x")
    refused(EISDIR, call, "open", home, O_RDWR)
    refused(ENOTDIR, call, "open", file.node, O_DIRECTORY)
    refused(EINVAL, call, "open", file.node, O_TRUNC)
    refused(EINVAL, call, "open", file.node, 1 << 30)
    refused(EISDIR, call, "unlink", client.root, b"refusals")
    refused(ENOTEMPTY, call, "rmdir", client.root, b"refusals")
    refused(ENOTEMPTY, call, "rmdir", home, b"..")
    refused(EINVAL, call, "rmdir", home, b".")
    refused(ENOENT, call, "resolve", home, b"", True)
    refused(ENAMETOOLONG, call, "lookup", home, b"n" * 256)
    refused(ENAMETOOLONG, call, "resolve", home, b"n/" * 2048, True)
    refused(EINVAL, call, "mkdir", home, b"a/b", 0o755)
    client.attributes("symlink", home, b"ring", b"ring")
    refused(ELOOP, call, "resolve", home, b"ring", True)
    refused(ESTALE, call, "getattr", [file["ino"], file["generation"] ^ 1])
    refused(EBADF, call, "read", descriptor + 1, 0, 1)
    refused(EINVAL, call, "getattr")
    refused(EINVAL, call, "getattr", file.node, 0)
    refused(EINVAL, call, "getattr", [file["ino"]])
    refused(EINVAL, call, "getattr", "text")
    refused(EINVAL, call, "read", descriptor, -1, 1)
    refused(EINVAL, call, "readdir", home, 0, 0)
    refused(ENOSYS, call, 9999)
    same(call("ping"), [])
    client.goodbye()


def check_pipelining(connect):
    """many requests on their way at once are carried out in order"""
    client = connect()
    home = fresh(client, b"pipelining")
    descriptor, _ = client.create(home, b"file")
    asked = []
    for i in range(20):
        data = bytes([i]) * 100
        asked.append(client.send("write", descriptor, i * 50, data))
        asked.append(client.send("read", descriptor, i * 50, 100))
        asked.append(client.send("fsync", descriptor))
    client.arrivals.clear()
    for id_ in asked:
        results = client.wait(id_)
        if asked.index(id_) % 3 == 1:
            same(results, [bytes([asked.index(id_) // 3]) * 100])
    same(sorted(client.arrivals), asked)
    syncs = asked[2::3]
    in_order = [id_ for id_ in client.arrivals if id_ not in syncs]
    same(in_order, [id_ for id_ in asked if id_ not in syncs])
    client.goodbye()


def check_locks(connect):
    """locks keep out other locks, are waited for, cancelled and given up"""
    one, two = connect(), connect()
    home = fresh(one, b"locks")
    mine, file = one.create(home, b"file")
    yours = two.open(file.node, O_RDWR)
    set_ = "setLock"
    same(one.call(set_, mine, 1, 2, 0, 100, False), [])
    same(one.call("getLock", mine, 1, True, 0, 0), [None])
    same(one.call("getLock", mine, 2, False, 0, 0), [[True, 0, 100, 1]])
    same(two.call("getLock", yours, 1, False, 50, 1), [[True, 0, 100, 0]])
    refused(EAGAIN, two.call, set_, yours, 1, 1, 99, 1, False)
    same(two.call(set_, yours, 1, 1, 100, 0, False), [])
    # What waits lets later requests pass, and can be cancelled.
    waiting = two.send(set_, yours, 1, 1, 0, 10, True)
    same(two.call("ping"), [])
    same(two.call("cancel", waiting), [True])
    refused(ECANCELED, two.wait, waiting)
    same(two.call("cancel", waiting), [False])
    # Two that wait for each other would wait for ever.
    waiting = two.send(set_, yours, 1, 2, 0, 10, True)
    same(two.call("ping"), [])
    refused(EDEADLK, one.call, set_, mine, 1, 2, 200, 1, True)
    # It is given when the other gives it up.
    same(one.call(set_, mine, 1, 0, 0, 50, False), [])
    same(two.wait(waiting), [])
    waiting = one.send(set_, mine, 1, 1, 0, 1, True)
    same(one.call("ping"), [])
    two.close()
    same(one.wait(waiting), [])
    reader = one.open(file.node, O_RDONLY)
    refused(EBADF, one.call, set_, reader, 5, 2, 0, 1, False)
    one.goodbye()


def check_compounds(connect):
    """compounds carry out their steps, up to the first that fails"""
    client = connect()
    home = fresh(client, b"compounds")
    made = [
        [73, home, b"file", 0o644, O_RDWR],
        [72, 0, 0, b"content"],
        [66, [0, 0]],
        [70, 0],
    ]
    (replies,) = client.call("compound", made)
    same([reply[0] for reply in replies], [0, 0, 0, 0])
    same(Attributes(replies[2][1])["size"], 7)
    opened = [
        [99, client.root, [b"compounds", b"file"]],
        [69, [0, 0], O_RDONLY],
        [71, 0, 3, 100],
        [70, 0],
    ]
    (replies,) = client.call("compound", opened)
    same(replies[2], [0, b"tent"])
    failing = [[91], [68, home, b"no"], [75, home, b"never", 0o755]]
    (replies,) = client.call("compound", failing)
    same([reply[0] for reply in replies], [0, ENOENT])
    refused(ENOENT, client.call, "lookup", home, b"never")
    wrong = [[75, home, b"never", 0o755], [9999]]
    refused(ENOSYS, client.call, "compound", wrong)
    wrong = [[75, home, b"never", 0o755], [66]]
    refused(EINVAL, client.call, "compound", wrong)
    refused(EINVAL, client.call, "compound", [[101, [[91]]]])
    refused(EINVAL, client.call, "compound", [])
    refused(ENOENT, client.call, "lookup", home, b"never")
    client.goodbye()


def check_wrong_messages(connect):
    """a message that is wrong is answered by EPROTO and the end"""

    def ends(client, id_, status):
        message = client.receive()
        same(message[:2], [id_, status])
        same(client.receive(), None)
        client.close()

    for body in [
        b"",
        b"\xff",
        b"\xa0",
        b"\x83\x05\x18\x5b",
        b"\x82\x18\x05\x18\x5b",
        b"\x82\x05\xfb\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x82\x05\x18\x5b\x00",
        b"\x82\x00\x18\x5b",
    ]:
        client = connect()
        client.send_bytes(body)
        ends(client, 0, EPROTO)
    client = connect()
    client.send_bytes(b"", client.max_frame + 1)
    ends(client, 0, EPROTO)
    client = connect()
    client.send_bytes(b"\x82\x05\x20")
    ends(client, 5, EPROTO)
    client = connect()
    id_ = client.send("hello", "nextfs", 1, 1052672, 64, [])
    ends(client, id_, EPROTO)
    client = connect(hello=False)
    ends(client, client.send("ping"), EPROTO)
    client = connect(hello=False)
    ends(client, client.send("hello", "nextft", 1, 1052672, 64, []), EPROTO)
    client = connect(hello=False)
    ends(client, client.send("hello", "nextfs", 1, 1, 64, []), EINVAL)


def check_goodbye(connect):
    """goodbye has everything answered before it"""
    client = connect()
    home = fresh(client, b"goodbye")
    descriptor, _ = client.create(home, b"file")
    client.call("setLock", descriptor, 1, 2, 0, 0, False)
    client.call("write", descriptor, 0, b"x")
    sync = client.send("sync")
    lock = client.send("setLock", descriptor, 2, 2, 0, 0, True)
    last = client.send("goodbye")
    same(client.wait(last), [])
    same(client.wait(sync), [])
    refused(ECANCELED, client.wait, lock)
    same(client.arrivals[-1], last)
    same(client.receive(), None)
    client.close()
