"""One process whose fcntl(2) locks of a file are asked for line by line.

Its argument is the file. A line is `set KIND START LENGTH` or
`get KIND START LENGTH`, KIND being F_RDLCK, F_WRLCK or F_UNLCK of Linux. The
answer to `set` is `ok` or `EAGAIN`, to `get` the lock in the way, as
`KIND START LENGTH`, KIND being 2 if there is none.
"""

import fcntl
import os
import struct
import sys

FLOCK = "hhqqi4x"  # struct flock of Linux on 64-bit machines

file = os.open(sys.argv[1], os.O_RDWR)
for line in sys.stdin:
    what, kind, start, length = line.split()
    asked = struct.pack(FLOCK, int(kind), 0, int(start), int(length), 0)
    try:
        if what == "set":
            fcntl.fcntl(file, fcntl.F_SETLK, asked)
            print("ok", flush=True)
        else:
            found = fcntl.fcntl(file, fcntl.F_GETLK, asked)
            kind, _, start, length, _ = struct.unpack(FLOCK, found)
            print(kind, start, length, flush=True)
    except BlockingIOError:
        print("EAGAIN", flush=True)
