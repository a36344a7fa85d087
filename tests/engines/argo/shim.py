"""The parent of one pod's processes: what a container's PID namespace does, without one.

Started as `python -I -S shim.py SPEC STATUS`, with a file of marshalled `command`, `env` and `cwd`. Runs the command in
its own session, writes `PID` to the STATUS file descriptor, and ends with the command's exit code, 128 + n after signal
n (as the kubelet reports it), 128 when it could not be started.

It is a child subreaper, so descendants that lose their parent, or start a session of their own, come back to it; when
the first process ends it kills all of them, as the kernel does with a PID namespace. SIGTERM to the shim, or the death
of the engine's thread that started it, kills everything at once.

It runs once for each pod, so it imports little: json, pathlib and contextlib would double its start-up time.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - no pathlib here
        return file.read()


def children() -> list[int]:
    own = os.getpid()
    try:
        return [int(pid) for pid in read(f"/proc/{own}/task/{own}/children").split()]
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and parent(name) == own]  # noqa: PTH208


def parent(pid: str) -> int:
    try:
        return int(read(f"/proc/{pid}/stat").rpartition(b")")[2].split()[1])
    except (OSError, IndexError):  # gone meanwhile
        return 0


def kill_everything() -> None:
    """Each child killed hands its own children over to us, so repeat until there are none."""
    while pids := children():
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            continue


def run(command: list[str], environment: dict[str, str], folder: str) -> None:
    os.setsid()
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # Python ignores or handles these; a container starts with the defaults
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    try:
        os.chdir(folder)
        os.execvpe(command[0], command, environment)
    except OSError as error:
        os.write(2, f"StartError: {command[0]!r}: {error}\n".encode())
    os._exit(128)


def main() -> int:
    spec = marshal.loads(read(sys.argv[1]))
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
    code = -signal.SIGKILL
    try:
        while True:
            pid, state = os.waitpid(-1, 0)
            if pid == first:
                code = os.waitstatus_to_exitcode(state)
                break
    except ChildProcessError:  # none left: the handler above reaped the first process
        pass
    kill_everything()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
