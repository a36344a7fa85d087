"""Process trees: find every descendant of this process and end it.

Launchers put their ranks into sessions of their own, so a process group is not enough: torch's elastic agent starts
each rank with `start_new_session`. On Linux this process becomes a child subreaper, so that a descendant whose parent
died is still found below us.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Collection

import psutil

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_POLL = 0.02
# Loaded now: between fork and exec nothing may be imported or looked up.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent dies (Linux; elsewhere nothing)."""
    if _libc is not None:
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """For `preexec_fn`: the new process is killed when the thread that started it ends, however that happens.

    A supervisor that is killed cannot clean up. It is one system call, so it is safe after fork in a threaded program.
    """
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def descendants() -> list[psutil.Process]:
    """All living descendants of this process; zombies are not alive."""
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
    return found


def end_descendants(grace: float, owned: Collection[int] = ()) -> bool:
    """TERM, then after `grace` seconds KILL, until no descendant is left; False where one could not be ended in 5 s.

    Adopted children are reaped here. `owned` are pids that somebody else waits for.
    """
    deadline = time.monotonic() + grace
    told: set[int] = set()
    while alive := descendants():
        late = time.monotonic() >= deadline
        if time.monotonic() >= deadline + 5:
            return False
        for process in alive:
            # New descendants may appear while we look; each is told once to end, later all are killed.
            if late or process.pid not in told:
                told.add(process.pid)
                # A descendant may belong to another user by now, as with sudo: the others have to end all the same.
                with contextlib.suppress(psutil.Error):
                    process.send_signal(signal.SIGKILL if late else signal.SIGTERM)
                    # A stopped process acts on nothing but KILL until it goes on.
                    process.send_signal(signal.SIGCONT)
        reap(owned)
        time.sleep(_POLL)
    reap(owned)
    return True


def reap(owned: Collection[int] = ()) -> None:
    """Collect the exit status of adopted children, so that they do not stay as zombies."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process().children():
            if process.pid not in owned:
                with contextlib.suppress(psutil.Error, ChildProcessError):
                    if process.status() == psutil.STATUS_ZOMBIE:
                        os.waitpid(process.pid, os.WNOHANG)
