"""What a process owes to the one that started it."""

import ctypes
import multiprocessing
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Kill this process when the one that started it dies, also while it is stopped or busy.

    Linux only (prctl(2), PR_SET_PDEATHSIG): elsewhere it must notice by itself.
    """
    parent = multiprocessing.parent_process()
    if sys.platform == "linux" and parent is not None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent.pid:  # it was quicker
            os._exit(1)
