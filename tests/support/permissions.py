"""What the kernel permits: calls made as one user after another.

usage: permissions.py MOUNTPOINT CASES

CASES is a JSON file: a list of {path, by: {uid, gid, groups}, call, args}.
Prints a JSON list of {outcome, state}: "done", the errno's name or what the
call returned, and what lstat tells of everything below `path` afterwards. Must
run as root.
"""

import ctypes
import errno
import json
import os
import stat
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
UTIME_NOW = (1 << 30) - 1
UTIME_OMIT = (1 << 30) - 2


def checked(result):
    """Raises for a libc call that failed."""
    if result != 0:
        raise OSError(ctypes.get_errno(), "failed")


def utimens(path, times):
    """utimensat(2); a time is "now", "omit" or seconds."""
    special = {"now": (0, UTIME_NOW), "omit": (0, UTIME_OMIT)}
    values = []
    for time in times:
        values += special.get(time) or (time, 0)
    block = (ctypes.c_long * 4)(*values)
    checked(LIBC.utimensat(AT_FDCWD, path.encode(), block, 0))


def open_file(path, wants):
    """open(2) of a file that exists."""
    read, write = wants["read"], wants["write"]
    flags = os.O_RDWR if read and write else os.O_RDONLY
    if write and not read:
        flags = os.O_WRONLY
    flags |= os.O_APPEND if wants["append"] else 0
    flags |= os.O_TRUNC if wants["truncate"] else 0
    os.close(os.open(path, flags))


def write(path, data):
    """Opens for writing and writes."""
    fd = os.open(path, os.O_WRONLY)
    os.write(fd, data.encode())
    os.close(fd)


def decide(path, names):
    """A number for each file: the sum of 1 << mask for what is permitted."""
    return [
        sum(
            1 << mask
            for mask in range(8)
            if LIBC.access(f"{path}/{name}".encode(), mask) == 0
        )
        for name in names
    ]


def create(path, mode):
    """Makes a file that must be new."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))


CALLS = {
    "access": lambda path, mask: checked(LIBC.access(path.encode(), mask)),
    "decide": decide,
    "open": open_file,
    "write": write,
    "create": create,
    "mkdir": os.mkdir,
    "fifo": lambda path, mode: os.mknod(path, stat.S_IFIFO | mode),
    "device": lambda path, number: os.mknod(
        path, stat.S_IFCHR | 0o666, os.makedev(number, number)
    ),
    "symlink": lambda path, target: os.symlink(target, path),
    "unlink": os.unlink,
    "rmdir": os.rmdir,
    "chmod": os.chmod,
    "chown": os.lchown,
    "utimens": utimens,
    "truncate": os.truncate,
    "readdir": lambda path: checked(os.listdir(path) is None),
    "getxattr": lambda path, name: checked(os.getxattr(path, name) is None),
    "setxattr": lambda path, name, value: os.setxattr(
        path, name, bytes.fromhex(value)
    ),
    "removexattr": os.removexattr,
    "rename": os.rename,
    "link": lambda path, to: os.link(path, to, follow_symlinks=False),
}
NAMES = {errno.EOPNOTSUPP: "EOPNOTSUPP"}
TWO_PATHS = ("rename", "link")


def act(root, case):
    """Makes the call of `case`; returns its outcome."""
    by = case["by"]
    os.umask(0)
    os.setgroups(by["groups"])
    os.setresgid(by["gid"], by["gid"], by["gid"])
    os.setresuid(by["uid"], by["uid"], by["uid"])
    base = root + case["path"] + "/"
    name, *args = case["args"]
    if case["call"] in TWO_PATHS:
        args = [base + args[0]]
    try:
        return CALLS[case["call"]](base + name, *args) or "done"
    except OSError as error:
        return NAMES.get(error.errno) or errno.errorcode[error.errno]


def act_apart(root, case):
    """As act(), in a process that can give its rights up."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(send, json.dumps(act(root, case)).encode())
        finally:
            os._exit(0)
    os.close(send)
    with os.fdopen(receive) as pipe:
        outcome = json.load(pipe)
    os.waitpid(child, 0)
    return outcome


def state(top):
    """Mode, owner, group and links of everything from `top` down."""
    found = {}
    paths = [top]
    while paths:
        path = paths.pop()
        facts = os.lstat(path)
        found[path[len(top):]] = [
            facts.st_mode, facts.st_uid, facts.st_gid, facts.st_nlink
        ]
        if stat.S_ISDIR(facts.st_mode):
            paths += [f"{path}/{name}" for name in os.listdir(path)]
    return found


def main(root, cases):
    """See the top."""
    with open(cases) as file:
        results = [
            {"outcome": act_apart(root, case), "state": state(root + case["path"])}
            for case in json.load(file)
        ]
    json.dump(results, sys.stdout)


main(*sys.argv[1:])
