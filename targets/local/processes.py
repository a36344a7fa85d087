"""One node of a step as a process: start it, read its output, end it with everything it started.

`Node.start` runs a supervisor in a session of its own, with standard output and error in one pipe. `read` takes what
the pipe holds, writes it to the node's log file as it came and gives whole lines for display. `poll` gives the exit
code (negative: a signal) and never waits.

Ending is in two strengths: `terminate` asks the supervisor alone, which ends its ranks in order; `kill` ends the whole
tree at once. Ranks put themselves into sessions of their own (torchrun does), so the tree is found by parents, and on
Linux by adoption: this process is a child subreaper, and whatever a dead supervisor leaves behind becomes its child.
`leftovers` finds those.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import psutil

from .lines import LineSplitter

_READ = 256 * 1024
# A tree that forks while it is being killed is looked at again, so many times.
_ROUNDS = 20
TAIL = 20


class Node:
    """A started supervisor. `log` is its complete output; `tail` its last lines."""

    def __init__(self, number: int, process: subprocess.Popen[bytes], log: Path, file: BinaryIO) -> None:
        assert process.stdout is not None
        self.number = number
        self.pid = process.pid
        self.pipe = process.stdout.fileno()
        self.watch = _watch(process.pid)
        self.log = log
        self.tail: deque[str] = deque(maxlen=TAIL)
        self.exit_code: int | None = None
        self.is_open = True
        self._process = process
        self._file = file
        self._splitter = LineSplitter()
        os.set_blocking(self.pipe, False)

    @classmethod
    def start(
        cls, number: int, argv: Sequence[str], env: Mapping[str, str], folder: Path, log: Path, lifeline: int
    ) -> Node:
        """Start `argv` in `folder`; `OSError` where the system refuses, with nothing left running."""
        file = log.open("wb")
        try:
            process = subprocess.Popen(
                argv,
                env=env,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,
                pass_fds=(lifeline,),
            )
        except BaseException:
            file.close()
            raise
        return cls(number, process, log, file)

    def read(self) -> list[str]:
        """Lines that are complete now; `is_open` turns false at the end of the output."""
        if not self.is_open:
            return []
        try:
            data = os.read(self.pipe, _READ)
        except BlockingIOError:
            return []
        if data:
            self._write_log(data)
            lines = self._splitter.feed(data)
        else:
            self.is_open = False
            lines = self._splitter.rest()
        self.tail.extend(lines[-TAIL:])
        return lines

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._file.flush()

    def poll(self) -> int | None:
        if self.exit_code is None:
            self.exit_code = self._process.poll()
        return self.exit_code

    def terminate(self) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
                # A stopped process acts on nothing but KILL until it goes on.
                self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """KILL the supervisor and all its descendants, sessions of their own included."""
        if self.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                kill_tree(psutil.Process(self.pid))

    def close(self) -> None:
        self.is_open = False
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self.watch is not None:
            os.close(self.watch)
            self.watch = None
        with contextlib.suppress(OSError):
            self._file.close()

    def _write_log(self, data: bytes) -> None:
        # A full disk must not end a run that could go on; the store holds the log too.
        with contextlib.suppress(OSError):
            self._file.write(data)


def _watch(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends (Linux 5.3); None elsewhere, where the engine polls."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def kill_tree(root: psutil.Process) -> None:
    """KILL a process and everything below it."""
    with contextlib.suppress(psutil.Error):
        # Stopped first, so that it neither starts anything more nor takes the end of its children for their failure.
        root.suspend()
    for _ in range(_ROUNDS):
        living = []
        with contextlib.suppress(psutil.NoSuchProcess):
            living = [process for process in root.children(recursive=True) if _lives(process)]
        if not living:
            break
        for process in living:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.005)
    with contextlib.suppress(psutil.Error):
        root.kill()


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class Family:
    """The processes below this one that belong to a run.

    Supervisors have sessions of their own, so whatever shares this process's session is somebody else's, and so is
    what was there before.
    """

    def __init__(self) -> None:
        self._me = psutil.Process()
        self._session = os.getsid(0)
        self._before = set(self._me.children(recursive=True))
        # Supervisors, which their nodes wait for.
        self.owned: set[int] = set()

    def alive(self) -> list[psutil.Process]:
        """Every living descendant of this run."""
        return [process for process in self._ours(recursive=True) if _lives(process)]

    def leftovers(self, marks: Mapping[str, str]) -> list[psutil.Process]:
        """Adopted children whose environment carries `marks`: what a node's supervisor left behind when it ended."""
        found = []
        for process in self._ours(recursive=False):
            if process.pid not in self.owned and _lives(process):
                with contextlib.suppress(psutil.Error, OSError):
                    environment = process.environ()
                    if all(environment.get(name) == value for name, value in marks.items()):
                        found.append(process)
        return found

    def reap(self) -> None:
        """Collect adopted children that have ended. Supervisors are left to their nodes."""
        for process in self._ours(recursive=False):
            if process.pid not in self.owned and not _lives(process):
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(process.pid, os.WNOHANG)

    def _ours(self, *, recursive: bool) -> list[psutil.Process]:
        found = []
        for process in self._me.children(recursive=recursive):
            with contextlib.suppress(ProcessLookupError):
                if process not in self._before and os.getsid(process.pid) != self._session:
                    found.append(process)
        return found
