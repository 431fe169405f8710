"""The system calls that a reward function may make, by what is asked of their arguments; all others are refused.

Chosen for what Python and numpy need to compute. Left out on purpose, beside all that makes sockets, processes, mounts
and namespaces: what Landlock does not cover (chmod, chown, utimes, xattr, readlink, truncate by name, links), what
sends signals by other ways (fcntl F_SETOWN, timers, message queues), and shared memory that counts for nobody.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """What an argument must be, for the call to be made.

    Attributes
    ----------
    argument
        Its position.
    values
        It is one of these, after the mask.
    high
        Whether the upper 32 bits are meant instead of the lower.
    """

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFFFFFF
    high: bool = False


Rule = tuple[Check, ...]

AF_UNIX, SOCK_STREAM, SOCK_TYPE = 1, 1, 0xF
CLONE_THREAD, CLONE_NEW = 0x00010000, 0x7E020080
O_ACCMODE, O_TRUNC = 0o3, 0o1000
FCNTL_COMMANDS = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030)
"""Duplicate, flags and locks; not F_SETOWN and F_SETSIG, by which the kernel sends signals to others."""
IOCTL_REQUESTS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX."""
PR_SET_NAME, PR_GET_NAME = 15, 16

NAMES: dict[str, tuple[int | None, int | None]] = {
    "access": (21, None),
    "alarm": (37, None),
    "brk": (12, 214),
    "chdir": (80, 49),
    "clock_getres": (229, 114),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "clone": (56, 220),
    "close": (3, 57),
    "close_range": (436, 436),
    "copy_file_range": (326, 285),
    "dup": (32, 23),
    "dup2": (33, None),
    "dup3": (292, 24),
    "epoll_create1": (291, 20),
    "epoll_ctl": (233, 21),
    "epoll_pwait": (281, 22),
    "epoll_wait": (232, None),
    "eventfd2": (290, 19),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "fadvise64": (221, 223),
    "fallocate": (285, 47),
    "fchdir": (81, 50),
    "fcntl": (72, 25),
    "fdatasync": (75, 83),
    "flock": (73, 32),
    "fstat": (5, 80),
    "fstatfs": (138, 44),
    "fsync": (74, 82),
    "ftruncate": (77, 46),
    "futex": (202, 98),
    "getcpu": (309, 168),
    "getcwd": (79, 17),
    "getdents64": (217, 61),
    "getegid": (108, 177),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getgroups": (115, 158),
    "getitimer": (36, 102),
    "getpeername": (52, 205),
    "getpgid": (121, 155),
    "getpgrp": (111, None),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "getrandom": (318, 278),
    "getresgid": (120, 150),
    "getresuid": (118, 148),
    "getrlimit": (97, 163),
    "getrusage": (98, 165),
    "getsid": (124, 156),
    "getsockname": (51, 204),
    "getsockopt": (55, 209),
    "gettid": (186, 178),
    "gettimeofday": (96, 169),
    "getuid": (102, 174),
    "ioctl": (16, 29),
    "kill": (62, 129),
    "lseek": (8, 62),
    "lstat": (6, None),
    "madvise": (28, 233),
    "membarrier": (324, 283),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "nanosleep": (35, 101),
    "newfstatat": (262, 79),
    "open": (2, None),
    "openat": (257, 56),
    "pipe": (22, None),
    "pipe2": (293, 59),
    "poll": (7, None),
    "ppoll": (271, 73),
    "prctl": (157, 167),
    "pread64": (17, 67),
    "preadv": (295, 69),
    "prlimit64": (302, 261),
    "pselect6": (270, 72),
    "pwrite64": (18, 68),
    "pwritev": (296, 70),
    "read": (0, 63),
    "readv": (19, 65),
    "recvfrom": (45, 207),
    "recvmsg": (47, 212),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "restart_syscall": (219, 128),
    "rmdir": (84, None),
    "rseq": (334, 293),
    "rt_sigaction": (13, 134),
    "rt_sigpending": (127, 136),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "rt_sigsuspend": (130, 133),
    "rt_sigtimedwait": (128, 137),
    "sched_get_priority_max": (146, 125),
    "sched_get_priority_min": (147, 126),
    "sched_getaffinity": (204, 123),
    "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120),
    "sched_yield": (24, 124),
    "select": (23, None),
    "sendfile": (40, 71),
    "sendmsg": (46, 211),
    "sendto": (44, 206),
    "set_robust_list": (273, 99),
    "set_tid_address": (218, 96),
    "setitimer": (38, 103),
    "shutdown": (48, 210),
    "sigaltstack": (131, 132),
    "socketpair": (53, 199),
    "stat": (4, None),
    "statfs": (137, 43),
    "statx": (332, 291),
    "sysinfo": (99, 179),
    "tgkill": (234, 131),
    "time": (201, None),
    "times": (100, 153),
    "umask": (95, 166),
    "uname": (63, 160),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "wait4": (61, 260),
    "waitid": (247, 95),
    "write": (1, 64),
    "writev": (20, 66),
}
"""Name -> number on x86_64 and on aarch64; None where the machine does not have it."""
CLONE3 = 435
"""Answered with ENOSYS, so that the C library takes clone, whose flags a filter can see."""


@dataclass(frozen=True)
class Machine:
    """A kind of processor, as the kernel's filters know it.

    Attributes
    ----------
    audit
        Its number in a filter's data.
    column
        Where its numbers stand in `NAMES`.
    """

    audit: int
    column: int


MACHINES = {"x86_64": Machine(0xC000003E, 0), "aarch64": Machine(0xC00000B7, 1)}


def rules(pid: int) -> dict[str, Rule]:
    """Return what is asked of the arguments of those calls that are not free, for the process of this number."""
    ours = (pid & 0xFFFFFFFF,)
    opens = Check(1, (0, 1, 2, 1 | O_TRUNC, 2 | O_TRUNC), O_ACCMODE | O_TRUNC)
    return {
        "clone": (Check(0, (CLONE_THREAD,), CLONE_THREAD | CLONE_NEW),),
        "kill": (Check(0, ours),),
        "tgkill": (Check(0, ours),),
        "fcntl": (Check(1, FCNTL_COMMANDS),),
        "ioctl": (Check(1, IOCTL_REQUESTS),),
        "prctl": (Check(0, (PR_SET_NAME, PR_GET_NAME)),),
        "prlimit64": (Check(0, (0, *ours)), Check(2, (0,)), Check(2, (0,), high=True)),
        "socketpair": (Check(0, (AF_UNIX,)), Check(1, (SOCK_STREAM,), SOCK_TYPE)),
        "open": (opens,),
        "openat": (Check(2, opens.values, opens.mask),),
    }
