"""Irrevocable limits that a process sets on itself: memory, CPU time, wall time, and system calls (seccomp).

Uses only the standard library, since the processes that import it must start fast.
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

# The system calls of a running query: memory, open file descriptors, waiting and exiting. Not opening or changing a
# file, sockets, other processes, timers or limits. Numbers of x86-64 and ARM64 (Linux,
# arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h).
_ALLOWED_CALLS = {
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
_MACHINES = {  # column above, audit architecture, number of seccomp()
    "x86_64": (0, 0xC000003E, 317),
    "aarch64": (1, 0xC00000B7, 277),
}

_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _DENY, _KILL = 0x7FFF0000, 0x00050001, 0x80000000  # deny: the call fails with EPERM
_SET_NO_NEW_PRIVILEGES, _SET_FILTER, _FOR_ALL_THREADS = 38, 1, 1
_X32 = 0x40000000


class SandboxUnavailable(OSError):
    """This system cannot sandbox a process; the message names what is missing."""


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def limit_resources(address_bytes: int, cpu_seconds: int) -> None:
    """Limit this process's memory and CPU time for good, and forbid it to write files or core dumps.

    Args:
        address_bytes: Address space, which bounds memory.
        cpu_seconds: CPU time of all threads; beyond it the process ends with SIGXCPU.
    """
    resource.setrlimit(resource.RLIMIT_AS, (address_bytes, address_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read_address_space_bytes() -> int:
    """Address space in use by this process; limits are set on top of it, since libraries map more than they use."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()


def set_alarm(seconds: float) -> None:
    """Have the system end this process with SIGALRM after so many seconds, even if its parent is gone."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def forbid_system_calls() -> None:
    """Have the kernel deny, for good, every system call that a running query does not need (a seccomp filter).

    Raises:
        SandboxUnavailable: This is not Linux on x86-64 or ARM64, or its kernel refuses the filter.
    """
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _MACHINES:
        raise SandboxUnavailable(f"needs Linux on x86-64 or ARM64, and this is {platform.system()} on {machine}")
    column, audit, seccomp = _MACHINES[machine]
    numbers = sorted(call[column] for call in _ALLOWED_CALLS.values())
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
        raise SandboxUnavailable(f"the kernel refuses the filter of system calls: {os.strerror(ctypes.get_errno())}")


def get_signal_name(return_code: int) -> str | None:
    """Name of the signal that ended a process, from its return code; none if it exited by itself."""
    if return_code >= 0:
        return None
    try:
        return signal.Signals(-return_code).name
    except ValueError:
        return f"signal {-return_code}"
