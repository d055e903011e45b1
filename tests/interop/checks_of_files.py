"""Checks of the client in Python: files and directories."""

import os
import time

from check_support import (
    changes,
    EBADF,
    EEXIST,
    EINVAL,
    ENODATA,
    ENOENT,
    ENXIO,
    EXDEV,
    ESTALE,
    fresh,
    refused,
    same,
)
from nextfs_client import (
    Attributes,
    O_APPEND,
    O_SYNC,
    O_TRUNC,
    O_WRONLY,
)


def check_contents(connect):
    """files hold what was written, and say so to another connection"""
    client = connect()
    home = fresh(client, b"contents")
    descriptor, made = client.create(home, b"file", 0o640)
    same(made["mode"], 0o100640)
    same(client.call("write", descriptor, 0, b"hello, world"), [12])
    same(client.call("write", descriptor, 7, b"there"), [5])
    same(client.call("fsync", descriptor), [])
    same(client.call("fdatasync", descriptor), [])
    same(client.call("sync"), [])
    same(client.call("read", descriptor, 0, 100), [b"hello, there"])
    same(client.call("read", descriptor, 7, 2), [b"th"])
    same(client.call("read", descriptor, 50, 100), [b""])
    other = connect()
    again = other.open(made.node)
    same(other.read_all(again), b"hello, there")
    refused(EBADF, other.call, "write", again, 0, b"x")
    other.goodbye()
    writer = client.open(made.node, O_WRONLY | O_TRUNC | O_APPEND | O_SYNC)
    same(client.call("write", writer, 1000, b"one"), [3])
    same(client.call("write", writer, 1000, b"two"), [3])
    refused(EBADF, client.call, "read", writer, 0, 1)
    same(client.read_all(descriptor), b"onetwo")
    same(client.call("close", writer), [])
    refused(EBADF, client.call, "close", writer)
    client.goodbye()


def check_large(connect):
    """reads and writes carry as much as hello says, and no more"""
    client = connect()
    home = fresh(client, b"large")
    descriptor, _ = client.create(home, b"file")
    most = client.limits["maxData"]
    data = os.urandom(most)
    same(client.call("write", descriptor, 3, data), [most])
    same(client.call("read", descriptor, 3, most), [data])
    same(client.read_all(descriptor), bytes(3) + data)
    if most < 1048576:
        refused(EINVAL, client.call, "read", descriptor, 0, most + 1)
    refused(EINVAL, client.call, "read", descriptor, 0, 1048577)
    client.goodbye()


def check_names(connect):
    """directories have the names that were given, and no others"""
    client = connect()
    home = fresh(client, b"names")
    descriptor, file = client.create(home, b"file")
    deep = client.attributes("mkdir", home, b"deep", 0o700)
    client.call("link", file.node, deep.node, b"again")
    same(client.attributes("getattr", file.node)["nlink"], 2)
    link = client.attributes("symlink", home, b"way", b"deep/again")
    same(client.call("readlink", link.node), [b"deep/again"])
    same(client.attributes("resolve", home, b"way", True).node, file.node)
    same(client.attributes("resolve", home, b"way", False).node, link.node)
    path = b"/names/./deep/../way"
    same(client.attributes("resolve", home, path, True).node, file.node)
    same(client.attributes("lookup", deep.node, b"..").node, home)
    (nodes,) = client.call("walk", client.root, [b"names", b"deep", b"again"])
    found = [Attributes(one).node for one in nodes]
    same(found, [home, deep.node, file.node])
    (nodes,) = client.call("walk", home, [b"deep", b"no", b"more"])
    same(len(nodes), 1)
    refused(ENOENT, client.call, "walk", home, [b"no", b"more"])
    pipe = client.attributes("mknod", home, b"pipe", 0o010644, [0, 0])
    same(pipe["mode"], 0o010644)
    entries = client.list(home, 2)
    names = {b".", b"..", b"file", b"deep", b"way", b"pipe"}
    same(set(entries), names)
    same(entries[b"file"][1].node, file.node)
    client.call("rename", home, b"file", deep.node, b"moved", False)
    refused(ENOENT, client.call, "lookup", home, b"file")
    args = [home, b"pipe", deep.node, b"moved", True]
    refused(EEXIST, client.call, "rename", *args)
    client.call("unlink", deep.node, b"moved")
    client.call("unlink", deep.node, b"again")
    same(client.attributes("getattr", file.node)["nlink"], 0)
    client.call("close", descriptor)
    refused(ESTALE, client.call, "getattr", file.node)
    client.call("rmdir", home, b"deep")
    refused(ESTALE, client.call, "getattr", deep.node)
    client.goodbye()


def check_attributes(connect):
    """attributes and extended attributes are what they were set to"""
    client = connect()
    home = fresh(client, b"attributes")
    _, file = client.create(home, b"file")
    new = client.attributes(
        "setattr",
        file.node,
        changes(mode=0o604, uid=7, gid=8, size=9, mtime=[-5, 250_000_000]),
    )
    same(new["mode"], 0o100604)
    same([new["uid"], new["gid"], new["size"]], [7, 8, 9])
    same(new["mtime"], [-5, 250_000_000])
    new = client.attributes("setattr", file.node, changes(mtime=True))
    same(abs(new["mtime"][0] - time.time()) < 3600, True)
    same(client.call("access", file.node, 6), [])
    same(client.call("setxattr", file.node, b"user.a", b"1", True, False), [])
    args = [file.node, b"user.a", b"2", True, False]
    refused(EEXIST, client.call, "setxattr", *args)
    args = [file.node, b"user.b", b"2", False, True]
    refused(ENODATA, client.call, "setxattr", *args)
    client.call("setxattr", file.node, b"user.b", b"", False, False)
    same(client.call("getxattr", file.node, b"user.a"), [b"1"])
    (names,) = client.call("listxattr", file.node)
    same(sorted(names), [b"user.a", b"user.b"])
    client.call("removexattr", file.node, b"user.a")
    refused(ENODATA, client.call, "getxattr", file.node, b"user.a")
    (statistics,) = client.call("statfs")
    same(len(statistics), 10)
    same(len(statistics[7]), 16)
    client.goodbye()


def check_ranges(connect):
    """holes are made, found and filled, and parts of files are copied"""
    client = connect()
    home = fresh(client, b"ranges")
    descriptor, file = client.create(home, b"file")
    client.call("write", descriptor, 1 << 20, b"end")
    same(client.call("seekData", descriptor, 0, True), [0])
    (data,) = client.call("seekData", descriptor, 0, False)
    same(0 < data <= 1 << 20, True)
    size = (1 << 20) + 3
    same(client.call("seekData", descriptor, 1 << 20, True), [size])
    refused(ENXIO, client.call, "seekData", descriptor, size, False)
    at = 0
    while at < data:
        at += client.call("allocate", descriptor, 0, at, data - at)[0]
    same(client.call("seekData", descriptor, 0, False), [0])
    blocks = client.attributes("getattr", file.node)["blocks"]
    at = 0
    while at < data:
        at += client.call("allocate", descriptor, 3, at, data - at)[0]
    same(client.attributes("getattr", file.node)["blocks"] < blocks, True)
    same(client.call("seekData", descriptor, 0, False), [data])
    copy, _ = client.create(home, b"copy")
    at = 0
    while True:
        args = [descriptor, at, copy, at, size - at]
        (count,) = client.call("copyRange", *args)
        if count == 0:
            break
        at += count
    same(at, size)
    same(client.read_all(copy), bytes(1 << 20) + b"end")
    client.goodbye()


def check_paths(connect):
    """the operations of the original work by path, with a position"""
    client = connect()
    fresh(client, b"paths")
    (file,) = client.call("file_open", b"/paths/file", "w+")
    same(client.call("file_write", file, b"hello"), [5])
    same(client.call("file_seek", file, -4, 2), [1])
    same(client.call("file_read", file, 3), [b"ell"])
    same(client.call("file_read", file, 3), [b"o"])
    same(client.call("file_size", file), [5])
    same(client.call("file_close", file), [])
    refused(EBADF, client.call, "file_size", file)
    refused(ENOENT, client.call, "file_open", b"/paths/no", "r")
    client.goodbye()


def check_tables(connect):
    """a forked table is claimed once, and shares its positions"""
    one, two = connect(), connect()
    fresh(one, b"tables")
    (file,) = one.call("file_open", b"/tables/file", "w+")
    one.call("file_write", file, b"shared")
    (id_,) = one.call("fork")
    same(len(id_), 32)
    refused(ENOENT, two.call, "child_attach", bytes(32))
    same(two.call("child_attach", id_), [])
    refused(ENOENT, connect().call, "child_attach", id_)
    same(two.call("file_tell", file), [6])
    same(two.call("file_seek", file, 0, 0), [0])
    same(one.call("file_read", file, 6), [b"shared"])
    one.goodbye()
    same(two.call("file_tell", file), [6])
    same(two.call("new_fdtable"), [])
    refused(EBADF, two.call, "file_tell", file)
    two.goodbye()


def check_mounts(connect):
    """a mount is found at the beginning of a path"""
    client = connect()
    fresh(client, b"mounts")
    client.call("device_register", "disk")
    refused(EEXIST, client.call, "device_register", "disk")
    refused(ENXIO, client.call, "mount", "no", b"/other")
    same(client.call("mount", "disk", b"/other"), [])
    same(client.call("cache_write_back", b"/other", False), [])
    same(client.call("dir_mk", b"/other/mounts/made"), [])
    names = [b"mounts", b"made"]
    same(len(client.call("walk", client.root, names)[0]), 2)
    args = ["dir_mv", b"/mounts/made", b"/other/mounts/moved"]
    refused(EXDEV, client.call, *args)
    same(client.call("dir_rm", b"/other/mounts"), [])
    refused(ENOENT, client.call, "lookup", client.root, b"mounts")
    same(client.call("umount", b"/other"), [])
    refused(EINVAL, client.call, "umount", b"/other")
    client.goodbye()
