"""pod PROGRAM [ARGUMENT...]: runs the program as Kubernetes runs a container
with readOnlyRootFilesystem and a foreign user: all file systems are read-only,
and the user is 65534, without capabilities.

Needs root or user namespaces. Without root, the user is 65534 only inside.
"""

import ctypes
import os
import sys

USER = 65534
NEW_MOUNTS, NEW_USER = 0x00020000, 0x10000000      # CLONE_NEWNS, CLONE_NEWUSER
PRIVATE, RECURSIVE = 1 << 18, 1 << 14              # MS_PRIVATE, MS_REC
MOUNT_SETATTR, HERE, ALL_MOUNTS, READ_ONLY = 442, -100, 0x8000, 1
NO_NEW_PRIVILEGES = 38                             # PR_SET_NO_NEW_PRIVS
LIBC = ctypes.CDLL(None, use_errno=True)


class MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64)
                for name in ("set", "clear", "propagation", "user_namespace")]


def check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def enter_namespaces():
    if os.geteuid() == 0:
        check(LIBC.unshare(NEW_MOUNTS))
        return
    user, group = os.geteuid(), os.getegid()
    check(LIBC.unshare(NEW_USER | NEW_MOUNTS))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{USER} {user} 1"),
                       ("gid_map", f"{USER} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def make_read_only():
    check(LIBC.mount(b"none", b"/", None, PRIVATE | RECURSIVE, None))
    attributes = MountAttributes(set=READ_ONLY)
    check(LIBC.syscall(MOUNT_SETATTR, HERE, b"/", ALL_MOUNTS,
                       ctypes.byref(attributes), ctypes.sizeof(attributes)))


def main():
    enter_namespaces()
    make_read_only()
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
    check(LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    os.execv(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
