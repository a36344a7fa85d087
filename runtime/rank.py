"""One rank of a launcher (torchrun and its like): starts the body's process and tells the supervisor about it.

Run as a script, `python -I -S rank.py`, by the launcher, once per rank; needs the standard library alone, since it
starts before the body's own imports and must cost next to nothing. What to run stands in the JSON file named by
`FLOWC_LAUNCH`: argv with the output paths left open, because each rank writes to outputs of its own.

The supervisor gets, over its Unix socket, one hello line with the read end of the rank's output pipe, and one line
when the process has ended. A launcher's own report comes late, mixes ranks, and may restart a rank: this one is exact.
"""

import array
import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import sys
import time

PR_SET_PDEATHSIG = 1


def main() -> None:
    # A launcher that is killed cannot end its ranks.
    _die_with_parent(os.getppid())
    with open(os.environ["FLOWC_LAUNCH"], encoding="utf-8") as file:
        launch = json.load(file)
    rank = int(os.environ.get(launch["rank_variable"], "0"))
    local_rank = int(os.environ.get(launch["local_rank_variable"], "0"))
    out_dir = os.path.join(launch["out_base"], str(local_rank))
    # A restarted rank must not publish what its predecessor left.
    shutil.rmtree(out_dir, ignore_errors=True)
    os.makedirs(out_dir)
    os.environ["FLOWC_OUT_DIR"] = out_dir
    for name, pieces in launch["env"].items():
        os.environ[name] = _text(pieces, out_dir)
    argv = [_text(pieces, out_dir) for pieces in launch["argv"]]

    reader, writer = os.pipe()
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(os.path.dirname(launch["socket"]), os.O_RDONLY)
    control.connect(short_address(folder, launch["socket"]))
    os.close(folder)
    restart = int(os.environ.get(launch["restart_variable"], "0"))
    hello = {"rank": rank, "local_rank": local_rank, "restart": restart}
    data = json.dumps(hello).encode() + b"\n"
    control.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [reader]))])
    os.close(reader)

    supervised = os.getpid()
    child = os.fork()
    if child == 0:
        _become(argv, writer, supervised)
    os.close(writer)
    _forward_signals(child)
    status = _wait(child)
    ended = time.monotonic()
    killed_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    code = None if killed_by else os.WEXITSTATUS(status)
    with contextlib.suppress(OSError):  # the supervisor may be gone; the launcher still wants the exit status
        control.sendall(json.dumps({"exit_code": code, "signal": killed_by, "at": ended}).encode() + b"\n")
    if killed_by:
        # Die the same way, so that the launcher sees what it would have seen without us. No second core file.
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(killed_by, signal.SIG_DFL) if killed_by not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), killed_by)
    os._exit(code if code is not None else 1)


def _text(pieces: "list[str | dict[str, str]]", out_dir: str) -> str:
    """The pieces one behind the other; `{"out": name}` is an output's path."""
    return "".join(piece if isinstance(piece, str) else os.path.join(out_dir, piece["out"]) for piece in pieces)


def short_address(folder: int, path: str) -> str:
    """The Unix socket at `path` by way of its open folder: an address has 108 bytes, and TMPDIR may be longer."""
    return f"/proc/self/fd/{folder}/{os.path.basename(path)}" if sys.platform == "linux" else path


def _become(argv: list[str], output: int, parent: int) -> None:
    """In the forked child: become the body. Never returns."""
    try:
        # Its own process group: a launcher signals ours, and we pass the signal on exactly once.
        os.setpgid(0, 0)
        _die_with_parent(parent)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.execvp(argv[0], argv)  # noqa: S606 - no shell is the point
    except OSError as error:
        os.write(2, f"flowc: cannot start {argv[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when its parent dies; elsewhere the supervisor's clean-up finds it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before prctl took effect
            os._exit(137)


def _forward_signals(child: int) -> None:
    def forward(number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, forward)


def _wait(child: int) -> int:
    while True:
        try:
            return os.waitpid(child, 0)[1]
        except InterruptedError:
            continue


if __name__ == "__main__":
    main()
