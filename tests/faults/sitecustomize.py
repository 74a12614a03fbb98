"""Faults on demand, in every Python process that has this folder in its PYTHONPATH.

`FAULT` is `CALL FILE SWITCH`: as long as the file SWITCH exists, this call on SQLite's file of
this name fails (`x.db-wal` is another file than `x.db`). With a fourth word, `once`, it fails only
for the one who takes the switch away. `CLOCK` is a file with the seconds to add to the wall clock.

SQLite's own tables of functions are changed, in C's terms: what a Python VFS raises would be
reported also where SQLite ignores an error.
"""

import ctypes
import os
import time
from collections.abc import Callable
from ctypes import CFUNCTYPE, c_int, c_int64, c_void_p
from pathlib import Path

OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
READ_OR_WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
SYNC = CFUNCTYPE(c_int, c_void_p, c_int)
# Where pointers are in the structs `sqlite3_vfs` and `sqlite3_io_methods`, and how many.
VFS, OPEN_AT = c_void_p * 6, 5
METHODS, READ_AT, WRITE_AT, SYNC_AT = c_void_p * 19, 2, 3, 5
VFS_POINTER = 27
"""SQLITE_FCNTL_VFS_POINTER."""
CALLS = {
    "read": (READ_AT, READ_OR_WRITE, 266),  # SQLITE_IOERR_READ
    "write": (WRITE_AT, READ_OR_WRITE, 778),  # SQLITE_IOERR_WRITE
    "full": (WRITE_AT, READ_OR_WRITE, 13),  # SQLITE_FULL
    "sync": (SYNC_AT, SYNC, 1034),  # SQLITE_IOERR_FSYNC
}

kept: list[object] = []
"""What only C refers to."""


def is_on(switch: Path, once: bool) -> bool:
    if not once:
        return switch.exists()
    try:
        switch.unlink()
    except FileNotFoundError:
        return False
    return True


def unix_files() -> ctypes.Array[c_void_p]:
    """SQLite's `sqlite3_vfs` for this system."""
    import apsw

    pointer = c_void_p()
    db = apsw.Connection("", vfs="unix")  # a file of its own, made when it is written
    assert db.file_control("main", VFS_POINTER, ctypes.addressof(pointer))
    db.close()
    assert pointer.value
    return VFS.from_address(pointer.value)


def break_files(call: str, name: str, fails: Callable[[], bool]) -> None:
    vfs = unix_files()
    open_truly = OPEN(vfs[OPEN_AT])
    place, kind, error = CALLS[call]
    ending = b"/" + name.encode()

    @OPEN
    def open_file(vfs: int, path: int | None, file: int, flags: int, out: int | None) -> int:
        code = open_truly(vfs, path, file, flags, out)
        if code == 0 and path and ctypes.string_at(path).endswith(ending):
            break_methods(c_void_p.from_address(file))
        return code

    def break_methods(methods: c_void_p) -> None:
        assert methods.value
        broken = METHODS.from_buffer_copy(METHODS.from_address(methods.value))
        truly = kind(broken[place])

        @kind
        def do(*args: int) -> int:
            return error if fails() else truly(*args)

        broken[place] = ctypes.cast(do, c_void_p).value
        kept.extend((do, broken))
        methods.value = ctypes.addressof(broken)

    vfs[OPEN_AT] = ctypes.cast(open_file, c_void_p).value
    kept.append(open_file)


def shift_clock(offset: Path) -> None:
    truly = time.time
    time.time = lambda: truly() + float(offset.read_text())


def give_up_power() -> None:
    """Let the permissions of files hold for root, too."""
    head = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this thread
    none = (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(head, none) == 0


if "FAULT" in os.environ:
    call, name, switch, *once = os.environ["FAULT"].split()
    break_files(call, name, lambda: is_on(Path(switch), bool(once)))
if "CLOCK" in os.environ:
    shift_clock(Path(os.environ["CLOCK"]))
if "NO_POWER" in os.environ:
    give_up_power()
