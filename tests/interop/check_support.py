"""What the checks of the client in Python share."""

from nextfs_client import Refused

EPERM, ENOENT, ENXIO, EBADF, EAGAIN = 1, 2, 6, 9, 11
EEXIST, EXDEV, ENOTDIR, EISDIR, EINVAL = 17, 18, 20, 21, 22
EDEADLK, ENAMETOOLONG, ENOSYS, ENOTEMPTY, ELOOP = 35, 36, 38, 39, 40
ENODATA, EPROTO, ESHUTDOWN, ESTALE, ECANCELED = 61, 71, 108, 116, 125


def same(found, expected, what=""):
    """Fails unless both are equal."""
    if found != expected:
        raise AssertionError(f"{what} {found!r:.300} is not {expected!r:.300}")


def refused(status, call, *args):
    """Fails unless the server answers with this status."""
    try:
        result = call(*args)
    except Refused as error:
        same(error.status, status, f"{args!r:.200}")
        return
    raise AssertionError(f"{args!r:.200} gave {result!r:.200}, not {status}")


def fresh(client, name):
    """The node of a new directory in the root."""
    return client.attributes("mkdir", client.root, name, 0o755).node


def changes(**values):
    """A change of attributes."""
    names = "mode uid gid size atime mtime ctime birthtime flags".split()
    return [values.get(name) for name in names]
