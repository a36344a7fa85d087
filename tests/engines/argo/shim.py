"""The parent of one pod's processes: what a container's PID namespace does, without one.

Started as `python -I -S shim.py SPEC STATUS`, with a JSON file of `command`, `env` and `cwd`. Runs the command in its
own session, writes `PID` to the STATUS file descriptor, and ends with the command's exit code, 128 + n after signal n
(as the kubelet reports it), 128 when it could not be started.

It is a child subreaper, so descendants that lose their parent, or start a session of their own, come back to it; when
the first process ends it kills all of them, as the kernel does with a PID namespace. SIGTERM to the shim, or the death
of the engine's thread that started it, kills everything at once. Standard library only: it runs once for each pod.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def children() -> list[int]:
    own = os.getpid()
    try:
        return [int(pid) for pid in Path(f"/proc/{own}/task/{own}/children").read_text().split()]
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == own:
                    found.append(int(entry.name))
        return found


def kill_everything() -> None:
    """Each child killed hands its own children over to us, so repeat until there are none."""
    while pids := children():
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


def run(command: list[str], environment: dict[str, str], folder: str) -> None:
    os.setsid()
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # Python ignores or handles these; a container starts with the defaults
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    try:
        os.chdir(folder)
        os.execvpe(command[0], command, environment)
    except OSError as error:
        print(f"StartError: {command[0]!r}: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the pod's log
    os._exit(128)


def main() -> int:
    spec = json.loads(Path(sys.argv[1]).read_text())
    status = int(sys.argv[2])
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: kill_everything())
    # A TERM between fork and exec would be lost in our own handler, which the child has for a moment.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    first = os.fork()
    if first == 0:
        os.close(status)
        run(spec["command"], spec["env"], spec["cwd"])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    os.write(status, f"{first}\n".encode())
    os.close(status)
    code = 128 + signal.SIGKILL
    with contextlib.suppress(ChildProcessError):  # none left: the handler above reaped the first process
        while True:
            pid, state = os.waitpid(-1, 0)
            if pid == first:
                code = os.waitstatus_to_exitcode(state)
                break
    kill_everything()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
