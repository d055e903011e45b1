"""Runs a program on a terminal, types on it, and tells what was seen.

Standard input: {"argv": [...], "steps": [[what is waited for, what is then
typed], ...]}. Standard output: {"output": all that was shown, "code": the exit
code, "echo": whether the terminal shows what is typed, afterwards}.
"""

import json
import os
import pty
import select
import subprocess
import sys
import termios
import time

LIMIT_SECONDS = 60


def echoes(terminal):
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


job = json.load(sys.stdin)
master, slave = pty.openpty()
program = subprocess.Popen(
    job["argv"], stdin=slave, stdout=slave, stderr=slave, start_new_session=True
)
output = b""
deadline = time.monotonic() + LIMIT_SECONDS


def read_some():
    global output
    if time.monotonic() > deadline:
        program.kill()
        sys.exit(f"too slow; so far: {output!r}")
    if select.select([master], [], [], 0.05)[0]:
        output += os.read(master, 65536)


seen = 0
for wait_for, text in job["steps"]:
    while wait_for.encode() not in output[seen:] and program.poll() is None:
        read_some()
    seen = len(output)
    os.write(master, text.encode())
while program.poll() is None:
    read_some()
while select.select([master], [], [], 0)[0]:
    output += os.read(master, 65536)
json.dump(
    {
        "output": output.decode(errors="replace"),
        "code": program.returncode,
        "echo": echoes(slave),
    },
    sys.stdout,
)
