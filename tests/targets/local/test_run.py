"""Whole runs through the real runtime: values flow, failures are told in full, nothing stays behind."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from dataclasses import replace

import pytest

from flowc.runtime.plan import Call, Command, Const, FromParam, FromStep, Gang, Input, InRef, Param, Torchrun

from .support import Workplace, eventually, plan, step


def test_values_files_and_folders_flow_and_are_shown_at_the_end(place: Workplace) -> None:
    (place.code / "work.py").write_text(
        "def best(scores: list[float], epochs: int):\n    return max(scores) * epochs\n"
    )
    make = 'seq "$in_epochs" > "$out_data"; mkdir "$out_d"; echo 1 > "$out_d/f"; echo "[0.25, 0.5]" > "$out_scores"'
    epochs = Input("epochs", "int", FromParam("epochs"))
    scores = Input("scores", "list[float]", FromStep("make", "scores"))
    data = Input("data", "file", FromStep("make", "data"))
    steps = plan(
        step("make", make, takes=(epochs,), gives={"data": "file", "d": "dir", "scores": "list[float]"}),
        step("best", Call("work.py", "best"), needs=("make",), takes=(scores, epochs), gives={"score": "float"}),
        step("show", Command((Const("cat"), InRef("data"))), needs=("make",), takes=(data,)),
        params=(Param("epochs", "int", False, 2), Param("lr", "float", False, 0.5)),
    )
    result = place.run(steps, "epochs=3")
    assert result.code == 0, result.out
    assert "show | 3\n" in result.out
    [folder] = place.folders()
    run = folder.name
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}", run)
    assert re.search(r"make\.scores +list\[float\] +\[0\.25, 0\.5\]\n", result.out)
    assert re.search(r"best\.score +float +1\.5\n", result.out)
    assert re.search(rf"make\.data +file +6 B  \.flowc/runs/{run}/outputs/make/data/data\n", result.out)
    assert (folder / "outputs/make/data/data").read_text() == "1\n2\n3\n"
    assert (folder / "outputs/make/d/d/f").read_text() == "1\n"
    assert result.out.splitlines()[-1].startswith(f"run {run} succeeded after ")
    record = json.loads((place.root / f".flowc/store/demo/{run}/run.json").read_text())
    assert record["params"] == {"epochs": 3, "lr": 0.5}
    assert (record["engine"], place.end_record()["status"]) == ("local", "succeeded")
    assert (place.root / f".flowc/store/demo/runs/{run}").exists()
    assert (place.root / ".flowc/.gitignore").read_text() == "*\n"


def test_plain_output_has_times_and_no_escapes(place: Workplace) -> None:
    result = place.run(plan(step("hello", r"printf '\033[31mred\033[0m\n'", nodes=2)))
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0].startswith("flow demo, run ")
    assert lines[1].startswith("steps use the present Python (")
    assert re.fullmatch(r" +0\.\ds  hello  started \(2 nodes\)", lines[2])
    assert "hello[0] | red" in lines
    assert "hello[1] | red" in lines
    assert any(re.fullmatch(r" +\d\.\ds  hello  done in \d\.\ds", line) for line in lines)
    assert "\x1b" not in result.out


def test_colour_can_be_forced(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    result = place.run(plan(step("hello", r"printf '\033[31mred\033[0m\n'")))
    assert "\x1b[36mhello |\x1b[0m \x1b[31mred\x1b[0m" in result.out


def on_a_terminal(place: Workplace, columns: int = 80) -> tuple[int, str]:
    """Run with a terminal as standard output; gives the exit code and everything written to it."""
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color"}
    for name in ("COLUMNS", "LINES"):
        env.pop(name, None)
    argv = place.argv(plan(step("hello", r"printf 'one\033[2J\ntwo'; sleep 0.4", nodes=2), step("bye")))
    process = subprocess.Popen(argv, cwd=place.root, stdin=terminal, stdout=terminal, stderr=terminal, env=env)
    os.close(terminal)
    written = b""
    while True:
        ready, _, _ = select.select([main], [], [], 30)
        assert ready, "nothing was written for 30 s"
        try:
            data = os.read(main, 65536)
        except OSError:  # Linux reports the closed terminal so
            break
        if not data:
            break
        written += data
    os.close(main)
    return process.wait(), written.decode()


@pytest.mark.parametrize("columns", [80, 12])
def test_a_terminal_shows_a_live_table_and_the_lines(place: Workplace, columns: int) -> None:
    code, written = on_a_terminal(place, columns=columns)
    assert code == 0
    assert "\x1b[?25l" in written
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l"), "the cursor is back"
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written)
    assert "hello[0] | one\r\n" in plain
    assert "hello[1] | two\r\n" in plain
    assert "\x1b[2J" not in written, "a step cannot clear the screen"
    assert "succeeded after" in plain
    if columns == 80:
        assert "running on 2 nodes" in plain


def test_a_terminal_without_colour(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    code, written = on_a_terminal(place)
    assert code == 0
    assert "running on 2 nodes" in written
    assert not re.search(r"\x1b\[[0-9;]+m", written)


def test_a_failure_names_step_node_and_exit_and_shows_the_last_lines(place: Workplace) -> None:
    body = 'seq 50; [ "$FLOWC_NODE_INDEX" = 0 ] && exec sleep 600; echo it broke; exit 3'
    result = place.run(plan(step("ok"), step("train", body, nodes=2, needs=("ok",))))
    assert result.code == 1
    [run] = [folder.name for folder in place.folders()]
    told = result.out.split("\n\n")[1]
    assert told.startswith("step 'train', node 1: exit code 3\n  its last lines:\n")
    assert "    50\n    it broke\n" in told
    assert told.endswith(f"  its whole output: .flowc/runs/{run}/train.1.1.log")
    assert "1\n2\n" in place.logs()["train.1.1.log"].decode()
    assert place.end_record()["failed_step"] == "train"


def test_a_step_that_fails_at_first_is_retried(place: Workplace) -> None:
    mark = place.root / "tried"
    body = f'[ -e {mark} ] || {{ touch {mark}; kill -9 $$; }}; echo -n fine > "$out_x"'
    result = place.run(plan(step("flaky", body, gives={"x": "string"}, retries=1)))
    assert result.code == 0
    assert "killed by SIGKILL" in result.out
    assert "attempt 2 of 2 in 0.0s" in result.out
    assert re.search(r"flaky\.x +string +fine\n", result.out)


def test_a_timeout_is_a_failure(place: Workplace) -> None:
    result = place.run(plan(step("slow", "sleep 600", timeout=1)))
    assert result.code == 1
    assert "step 'slow': timed out after 1 s\n" in result.out


def test_a_missing_program_is_not_retried(place: Workplace) -> None:
    result = place.run(plan(step("typo", Command((Const("no-such-program"),)), retries=3, retry_wait=60)))
    assert result.code == 1
    assert "no-such-program" in result.out
    assert sorted(place.logs()) == ["typo.1.0.log"]


# Processes in sessions of their own, with and without a parent; then a sign that they are there.
SESSIONS = "setsid sleep 600 & (setsid -f sleep 600); touch {root}/up$FLOWC_NODE_INDEX; "


def start_gang(place: Workplace) -> subprocess.Popen[str]:
    sessions = SESSIONS.format(root=place.root)
    process = place.start(plan(step("gang", sessions + "trap '' TERM; sleep 600; sleep 600", nodes=2)))
    assert eventually(lambda: place.has("up0") and place.has("up1"))
    return process


def test_an_interrupted_gang_is_gone_within_five_seconds(place: Workplace) -> None:
    process = start_gang(place)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert process.returncode == 130
    assert place.processes() == []
    assert "was interrupted after" in out


def test_nothing_outlives_a_killed_engine(place: Workplace) -> None:
    process = start_gang(place)
    process.kill()
    assert eventually(lambda: not place.processes(), 8)
    process.communicate()


def test_nothing_outlives_a_killed_supervisor(place: Workplace) -> None:
    body = SESSIONS.format(root=place.root) + '[ "$FLOWC_NODE_INDEX" = 1 ] && kill -9 $PPID; sleep 600'
    result = place.run(plan(step("gang", body, nodes=2)))
    assert result.code == 1
    assert result.seconds < 15
    assert "step 'gang', node 1" in result.out


@pytest.mark.slow
def test_a_torchrun_gang(place: Workplace) -> None:
    (place.code / "train.py").write_text(
        "import os, sys, time, torch, torch.distributed as dist\n"
        "dist.init_process_group('gloo')\n"
        "total = torch.tensor([float(dist.get_rank() + 1)])\n"
        "dist.all_reduce(total)\n"
        "print('rank', dist.get_rank(), 'total', total.item(), flush=True)\n"
        "if sys.argv[1] == 'fail':\n"
        # No collective here: peers of a rank that dies in one fail too, at nearly the same time.
        "    os._exit(5) if dist.get_rank() == 3 else time.sleep(600)\n"
        "dist.barrier()\n"
        "dist.destroy_process_group()\n"
        # A Python that winds up under gloo's threads aborts now and then (torch 2.13).
        "sys.stdout.flush(); os._exit(0)\n"
    )
    base = step("train", Command((Const("train.py"), Const("well"))))
    gang = replace(base, gang=Gang(2, Torchrun(2, 0, None)))
    result = place.run(plan(gang))
    assert result.code == 0, result.out
    assert result.out.count("total 10.0") == 4
    broken = replace(gang, body=Command((Const("train.py"), Const("fail"))))
    result = place.run(plan(broken))
    assert result.code == 1
    # Torch's rendezvous, not the node's index, says which node has which ranks.
    assert re.search(r"step 'train', node [01], rank 3: exit code 5\n", result.out)
    assert "    rank 3 total 10.0\n" in result.out


@pytest.mark.slow
def test_an_interrupted_torchrun_gang_is_gone_within_five_seconds(place: Workplace) -> None:
    (place.code / "train.py").write_text(
        "import os, pathlib, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pathlib.Path({str(place.root)!r}, 'rank' + os.environ['RANK']).touch()\n"
        "time.sleep(600)\n"
    )
    gang = replace(step("train", Command((Const("train.py"),))), gang=Gang(2, Torchrun(2, 0, None)))
    process = place.start(plan(gang))
    assert eventually(lambda: all(place.has(f"rank{rank}") for rank in range(4)), 60)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert process.returncode == 130
    assert place.processes() == []
