"""Run a program that dies with the process that started it: ``python -I -S tether.py <parent pid> <program> <args>``.

A runner that is killed outright (kill -9, out of memory) cannot kill its child. On Linux the kernel can: this file asks
for it and becomes the program. Elsewhere it only becomes the program. Standard library only, and as little of it as
possible, for it runs once per program.
"""

import os
import sys

PR_SET_PDEATHSIG = 1
SIGKILL = 9


def main() -> None:
    """Ask to be killed with the parent, then become the program."""
    parent_pid, program = int(sys.argv[1]), sys.argv[2]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != parent_pid:  # it died before the kernel knew
        sys.exit(1)
    try:
        os.execv(program, sys.argv[2:])
    except OSError as error:
        sys.exit(f"cannot run {program}: {error.strerror}")


if __name__ == "__main__":
    main()
