"""The wall around system calls: a seccomp filter, put together here and loaded by the process itself."""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Mapping

from . import libc
from .syscalls import CLONE3, NAMES, Check, Machine, Rule, rules

LOAD, JUMP_EQUAL, JUMP_AT_LEAST, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
ALLOW, ERRNO, KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER_AT, ARCHITECTURE_AT, ARGUMENTS_AT = 0, 4, 16
X32 = 0x40000000
"""From here on are the calls of x86_64's other interface."""

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, operand."""


def program(machine: Machine, pid: int) -> list[Instruction]:
    """Return the filter, as instructions: the process dies by a call of another architecture, and is refused others."""
    free, asked = _by_number(machine, rules(pid))
    instructions = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (JUMP_EQUAL, 1, 0, machine.audit),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, NUMBER_AT),
        (JUMP_AT_LEAST, 0, 1, X32),
        (RETURN, 0, 0, KILL_PROCESS),
        *_answer(CLONE3, ERRNO | errno.ENOSYS),
    ]
    for number in free:
        instructions += _answer(number, ALLOW)
    for number, rule in asked.items():
        checks = [instruction for check in rule for instruction in _check(check)]
        instructions += [(JUMP_EQUAL, 0, len(checks) + 1, number), *checks, (RETURN, 0, 0, ALLOW)]
    return [*instructions, (RETURN, 0, 0, ERRNO | errno.EPERM)]


def _by_number(machine: Machine, rules_: Mapping[str, Rule]) -> tuple[list[int], dict[int, Rule]]:
    """Return the numbers of the calls that are free, and those of which something is asked."""
    numbers = {name: number for name, columns in NAMES.items() if (number := columns[machine.column]) is not None}
    free = [number for name, number in numbers.items() if name not in rules_]
    return free, {numbers[name]: rule for name, rule in rules_.items() if name in numbers}


def _answer(number: int, answer: int) -> list[Instruction]:
    return [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, answer)]


def _check(check: Check) -> list[Instruction]:
    """Return instructions that refuse, or go on behind themselves."""
    count = len(check.values)
    return [
        (LOAD, 0, 0, ARGUMENTS_AT + 8 * check.argument + (4 if check.high else 0)),
        (AND, 0, 0, check.mask),
        *((JUMP_EQUAL, count - place, 0, value) for place, value in enumerate(check.values)),
        (RETURN, 0, 0, ERRNO | errno.EPERM),
    ]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def load(instructions: list[Instruction]) -> None:
    """Put this thread, and the threads that it will start, behind the filter; it needs no_new_privs before."""
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    libc.prctl(libc.PR_SET_SECCOMP, libc.SECCOMP_MODE_FILTER, _Program(len(instructions), code))
