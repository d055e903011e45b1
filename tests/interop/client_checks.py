"""What the client in Python asks of a server, and what it expects.

    client_checks.py ENDPOINT [CA CERT KEY]
    client_checks.py --heard FILE ENDPOINT
    client_checks.py --until-shutdown ENDPOINT

Prints a line for each check, and ends with status 0 if all hold. FILE gets a
line for each request that was answered: the operation, and both messages in
hex.
"""

import inspect
import sys

import checks_of_files
import checks_of_sessions
from check_support import (
    ECANCELED,
    ESHUTDOWN,
    refused,
    same,
)
from nextfs_client import (
    Client,
    Notice,
)


def run_until_shutdown(endpoint):
    """Waits with a lock that never comes, until the server stops."""
    client = Client(endpoint)
    descriptor, _ = client.create(client.root, b"shutdown")
    client.call("setLock", descriptor, 1, 2, 0, 0, False)
    lock = client.send("setLock", descriptor, 2, 2, 0, 0, True)
    client.call("ping")
    print("ready", flush=True)
    refused(ECANCELED, client.wait, lock)
    try:
        client.wait(0)
    except Notice as notice:
        same(notice.status, ESHUTDOWN)
    same(client.receive(), None)
    print("ok   a server that stops says so")


def main():
    """See the module."""
    args = sys.argv[1:]
    if args[0] == "--until-shutdown":
        return run_until_shutdown(args[1])
    if args[0] == "--heard":
        Client.heard = []
        run_checks(args[2])
        with open(args[1], "w", encoding="ascii") as file:
            for operation, request, reply in Client.heard:
                print(operation, request.hex(), reply.hex(), file=file)
        return None
    tls = dict(zip(["ca", "cert", "key"], args[1:])) if args[1:] else None
    run_checks(args[0], tls)
    if tls is not None:
        check_strangers(args[0], tls)
    return None


def run_checks(endpoint, tls=None):
    """Makes every check."""

    def connect(**options):
        return Client(endpoint, tls, **options)

    for module in [checks_of_sessions, checks_of_files]:
        for name, check in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("check_"):
                check(connect)
                print(f"ok   {check.__doc__}", flush=True)


def check_strangers(endpoint, tls):
    """Who shows no certificate, or another protocol, is not let in."""
    for changed in [{"cert": None}, {"alpn": "http/1.1"}]:
        try:
            Client(endpoint, {**tls, **changed})
        except (OSError, EOFError):
            continue
        raise AssertionError(f"{changed} was let in")
    print("ok   strangers are not let in")


if __name__ == "__main__":
    main()
