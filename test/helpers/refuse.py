"""Run a command whose system calls of some names fail: refuse.py NAME[,NAME...] ERRNO COMMAND...

Installs a seccomp filter and executes the command, as container runtimes do. Exits 77 where the machine has no such filters.
"""
import ctypes
import errno
import os
import platform
import struct
import sys

NUMBERS = {
    'x86_64': {'memfd_create': 319, 'sendfile': 40, 'sendto': 44, 'prctl': 157, 'pidfd_open': 434, 'openat2': 437, 'bpf': 321},
    'aarch64': {'memfd_create': 279, 'sendfile': 71, 'sendto': 206, 'prctl': 167, 'pidfd_open': 434, 'openat2': 437, 'bpf': 280},
}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
RET_ERRNO, RET_ALLOW = 0x00050000, 0x7FFF0000


class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('filter', ctypes.c_char_p)]


def main(names, code, *command):
    numbers = NUMBERS.get(platform.machine())
    if numbers is None:
        sys.exit(77)
    refuse = struct.pack('HBBI', RETURN, 0, 0, RET_ERRNO | getattr(errno, code))
    program = struct.pack('HBBI', LOAD_WORD, 0, 0, 0)
    for name in names.split(','):
        program += struct.pack('HBBI', JUMP_IF_EQUAL, 0, 1, numbers[name]) + refuse
    program += struct.pack('HBBI', RETURN, 0, 0, RET_ALLOW)
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(Program(len(program) // 8, program)), 0, 0) != 0:
        sys.exit(77)
    os.execvp(command[0], command)


main(*sys.argv[1:])
