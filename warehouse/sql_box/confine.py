"""Limits a process sets on itself and cannot lift again: what the system holds, whatever the code inside does.

Only the standard library, since the processes that use it must start fast.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from pathlib import Path

# What a query needs once everything is loaded and open: its memory, the files it holds open, waiting, and ending.
# Not among them: opening or changing a file, sockets, other processes, timers, limits. Numbers of x86-64 and ARM64
# (Linux, arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h).
_CALLS = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "pread64": (17, 67),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "nanosleep": (35, 101),
    "getpid": (39, 172),
    "exit": (60, 93),
    "gettimeofday": (96, 169),
    "getrusage": (98, 165),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "set_robust_list": (273, 99),
    "getcpu": (309, 168),
    "getrandom": (318, 278),
    "membarrier": (324, 283),
    "rseq": (334, 293),
}
_MACHINES = {"x86_64": (0, 0xC000003E, 317), "aarch64": (1, 0xC00000B7, 277)}  # column above, audit name, seccomp()

_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _DENY, _KILL = 0x7FFF0000, 0x00050001, 0x80000000  # deny: the call fails with EPERM
_SET_NO_NEW_PRIVILEGES, _SET_FILTER, _FOR_ALL_THREADS = 38, 1, 1
_X32 = 0x40000000


class Unconfinable(OSError):
    """This system cannot confine a process; the text says what is missing."""


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def limit_resources(address_bytes: int, cpu_seconds: int) -> None:
    """Set hard limits for the rest of this process's life; it writes no file and leaves no core behind.

    Args:
        address_bytes: Address space, which bounds memory.
        cpu_seconds: Computing time of all threads; beyond it the process ends with SIGXCPU.
    """
    resource.setrlimit(resource.RLIMIT_AS, (address_bytes, address_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def address_bytes_held() -> int:
    """Address space of this process so far: libraries map far more than they use, so limits are set on top of it."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()


def end_after(seconds: float) -> None:
    """Have the system end this process with SIGALRM after so many seconds, even if nobody watches it any more."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def forbid_calls() -> None:
    """Let the kernel refuse, from now on and for good, every system call a running query does not need (seccomp).

    Raises:
        Unconfinable: It is not Linux on x86-64 or ARM64, or its kernel refuses the filter.
    """
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _MACHINES:
        raise Unconfinable(f"needs Linux on x86-64 or ARM64, and this is {platform.system()} on {machine}")
    column, audit, seccomp = _MACHINES[machine]
    numbers = sorted(call[column] for call in _CALLS.values())
    program = [(_LOAD, 0, 0, 4), (_IF_EQUAL, 1, 0, audit), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    program += [(_IF_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _DENY)]
    for number in numbers:
        program += [(_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    program += [(_RETURN, 0, 0, _DENY)]
    instructions = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    filters = _Program(len(program), instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges = libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if no_new_privileges or libc.syscall(seccomp, _SET_FILTER, _FOR_ALL_THREADS, ctypes.byref(filters)):
        raise Unconfinable(f"the kernel refuses the filter of system calls: {os.strerror(ctypes.get_errno())}")


def ending_told(return_code: int) -> str | None:
    """Name of the signal that ended a process, from its return code; nothing if it ended by itself."""
    if return_code >= 0:
        return None
    try:
        return signal.Signals(-return_code).name
    except ValueError:
        return f"signal {-return_code}"
