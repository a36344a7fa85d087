"""What the engine does whatever its supervisors do: floods, deaths, deafness, interruptions."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flowc.targets.local.attempt import Attempt, Place
from flowc.targets.local.machine import Machine
from flowc.targets.local.processes import Node
from flowc.targets.local.scheduler import Scheduler

from .support import Workplace, eventually, plan, step


def test_a_flood_of_output_passes_and_the_log_is_whole(place: Workplace) -> None:
    result = place.run(plan(step("flood", "seq 200000"), step("also", "seq 200000 >&2")), "stand-in")
    assert result.code == 0
    expected = "".join(f"{number}\n" for number in range(1, 200_001))
    assert place.logs() == {"flood.1.0.log": expected.encode(), "also.1.0.log": expected.encode()}
    shown = [line for line in result.out.splitlines() if line.startswith("flood | ")]
    assert shown == [f"flood | {number}" for number in range(1, 200_001)]


def test_a_reader_that_takes_nothing_blocks_the_output_but_not_the_end(place: Workplace) -> None:
    process = place.start(plan(step("flood", "touch started; yes")), "stand-in")
    assert eventually(lambda: place.logs().get("flood.1.0.log", b"") != b"")
    time.sleep(1.5)
    size = len(place.logs()["flood.1.0.log"])
    time.sleep(0.3)
    assert len(place.logs()["flood.1.0.log"]) == size, "the step waits for its reader"
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 130
    assert time.monotonic() - began < 3
    assert process.stdout is not None
    process.stdout.close()


def test_a_reader_that_went_away_does_not_end_the_run(place: Workplace) -> None:
    process = place.start(plan(step("talk", "for i in 1 2 3; do echo $i; sleep 0.1; done")), "stand-in")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=10) == 0
    assert place.end_record()["status"] == "succeeded"


def test_bytes_that_are_no_text_and_lines_without_end(place: Workplace) -> None:
    body = r"printf 'a\xff\n'; head -c 3000000 /dev/zero | tr '\0' x; printf '\nend'"
    result = place.run(plan(step("odd", body)), "stand-in")
    assert result.code == 0
    assert "odd | a\ufffd\n" in result.out
    assert "odd | end\n" in result.out
    assert place.logs()["odd.1.0.log"] == b"a\xff\n" + b"x" * 3_000_000 + b"\nend"


def test_a_supervisor_that_dies_without_a_report_is_reported(place: Workplace) -> None:
    result = place.run(plan(step("lost", 'echo so far; kill -9 "$0"; sleep 600')), "stand-in")
    assert result.code == 1
    assert "step 'lost': its supervisor ended without a report (killed by SIGKILL)\n" in result.out
    assert "    so far\n" in result.out
    assert "lost.1.0.log\n" in result.out


def test_a_supervisor_that_commits_nothing_has_failed(place: Workplace) -> None:
    result = place.run(plan(step("liar", "nothing")), "stand-in")
    assert result.code == 1
    assert "step 'liar': its supervisor ended without committing the step's outputs\n" in result.out


def test_of_a_gang_the_node_that_failed_first_is_reported(place: Workplace) -> None:
    body = 'if [ "$FLOWC_NODE" = 1 ]; then echo broken; exit 9; fi; sleep 0.5; exit 71'
    result = place.run(plan(step("gang", body, nodes=3)), "stand-in")
    assert result.code == 1
    assert "step 'gang', node 1: its supervisor ended without a report (exit code 9)\n" in result.out
    assert "gang.1.1.log\n" in result.out


def test_retries_wait_longer_each_time_and_have_names_of_their_own(place: Workplace) -> None:
    body = 'echo "$FLOWC_ATTEMPT" >> ../attempts; date +%s.%N >> ../times; [ $(wc -l < ../times) = 3 ]'
    result = place.run(plan(step("flaky", body, retries=2, retry_wait=1)), "stand-in")
    assert result.code == 0
    assert "attempt 2 of 3 in 1.0s" in result.out
    assert "attempt 3 of 3 in 2.0s" in result.out
    first, second, third = map(float, (place.root / ".flowc/runs/times").read_text().split())
    assert 1.0 <= second - first < 2.0
    assert 2.0 <= third - second < 3.0
    assert len(set((place.root / ".flowc/runs/attempts").read_text().split())) == 3
    assert sorted(place.logs()) == ["flaky.1.0.log", "flaky.2.0.log", "flaky.3.0.log"]


def test_a_wrong_plan_or_input_is_not_retried(place: Workplace) -> None:
    result = place.run(plan(step("wrong", "exit 64", retries=5, retry_wait=60)), "stand-in")
    assert result.code == 1
    assert sorted(place.logs()) == ["wrong.1.0.log"]


def test_the_first_failure_ends_what_runs_and_starts_nothing_more(place: Workplace) -> None:
    steps = plan(
        step("bad", "sleep 0.5; exit 3"),
        step("other", "trap '' TERM; setsid sleep 600 & sleep 600; sleep 600"),
        step("after_bad", needs=("bad",)),
        step("after_other", needs=("other",)),
    )
    result = place.run(steps, "stand-in")
    assert result.code == 1
    assert place.processes() == []
    assert "other        ended because bad failed" in result.out
    assert sorted(place.logs()) == ["bad.1.0.log", "other.1.0.log"]
    assert (place.end_record()["status"], place.end_record()["failed_step"]) == ("failed", "bad")


@pytest.mark.parametrize(
    ("number", "code", "hearing"), [(signal.SIGINT, 130, "deaf"), (signal.SIGTERM, 143, ""), (signal.SIGHUP, 129, "")]
)
def test_an_interrupted_run_leaves_nothing_within_five_seconds(
    place: Workplace, number: int, code: int, hearing: str
) -> None:
    # Deaf to TERM, in sessions of their own, and orphans: what launchers, daemons and careless scripts leave.
    body = "trap '' TERM; setsid sleep 600 & (setsid -f sleep 600); touch ../up$FLOWC_NODE; sleep 600; sleep 600"
    body += f"; # {hearing}"
    process = place.start(plan(step("gang", body, nodes=3)), "stand-in")
    assert eventually(lambda: all(place.has(f".flowc/runs/up{node}") for node in range(3)))
    assert len(place.processes()) >= 10
    began = time.monotonic()
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert process.returncode == code
    assert place.processes() == []
    [run] = [folder.name for folder in place.folders()]
    assert f"run {run} was interrupted after" in out
    assert f".flowc/runs/{run}" in out


def test_the_second_interrupt_kills_at_once(place: Workplace) -> None:
    process = place.start(plan(step("deaf", "trap '' TERM; touch ../up; sleep 600; sleep 600 # deaf")), "stand-in")
    assert eventually(lambda: place.has(".flowc/runs/up"))
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 130
    assert time.monotonic() - began < 1.5
    process.communicate()


def test_an_ignored_hangup_stays_ignored(place: Workplace) -> None:
    steps = plan(step("short", "touch ../up; sleep 1"))
    process = place.start(steps, "stand-in", "nohup")
    assert eventually(lambda: place.has(".flowc/runs/up"))
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_what_a_step_leaves_in_the_background_ends_with_it(place: Workplace) -> None:
    result = place.run(plan(step("daemon", "setsid -f sleep 600; env -i setsid -f sleep 600; echo done")), "stand-in")
    assert result.code == 0
    assert result.seconds < 8
    assert "daemon | done\n" in result.out


def test_the_environment_of_a_node(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWC_NODE", "7")
    monkeypatch.setenv("FLOWC_PARAMS", "stale")
    monkeypatch.setenv("FLOWC_PEER_TIMEOUT", "20")
    result = place.run(plan(step("look", "env; command -v python; ls -l /dev/fd/0")), "stand-in")
    log = place.logs()["look.1.0.log"].decode().splitlines()
    env = dict(line.split("=", 1) for line in log if "=" in line)
    assert result.code == 0
    assert (env["FLOWC_ENGINE"], env["FLOWC_FLOW"], env["FLOWC_NODE"], env["FLOWC_NODES"]) == (
        "local",
        "demo",
        "0",
        "1",
    )
    assert env["FLOWC_STORE"] == (place.root / ".flowc/store").as_uri()
    assert env["FLOWC_RUN"] == place.folders()[0].name
    assert env["FLOWC_ADDRESS"].startswith("127.")
    assert env["FLOWC_PEER_TIMEOUT"] == "20"
    assert "FLOWC_PARAMS" not in env
    assert str(Path(sys.executable).parent / "python") in log
    assert log[-1].endswith("/dev/null")


def test_a_gang_starts_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    start = Node.start

    def refuse_the_third(number: int, *rest: object) -> object:
        if number == 2:
            raise OSError(11, "Resource temporarily unavailable")
        node = start(number, *rest)  # type: ignore[arg-type]
        started.append(node)
        return node

    monkeypatch.setattr(Node, "start", refuse_the_third)
    place = Place(_NoStore(), "demo", "run", "0" * 64, tmp_path)  # type: ignore[arg-type]
    reader, writer = os.pipe()
    steps = plan(step("gang", nodes=4))
    scheduler = Scheduler(steps, Machine(4, 1 << 40), None)
    scheduler.begin()
    task = scheduler.next_task(0.0)
    assert task is not None
    gang = Attempt(task, place)
    with pytest.raises(OSError, match="temporarily unavailable"):
        gang.start(lambda _python, _step, _ix: ("sleep", "600"), reader, time.monotonic())
    os.close(reader)
    os.close(writer)
    assert len(started) == 2
    assert eventually(lambda: all(node.poll() == -signal.SIGKILL for node in started), 2)


class _NoStore:
    url = "file:///nowhere"


def test_a_program_that_cannot_be_started_fails_the_step(place: Workplace) -> None:
    # An environment beyond the kernel's limit for one string (128 KiB) cannot be passed to any process.
    code = (
        "import os, sys; os.environ['HUGE'] = 'x' * 200_000; sys.argv = sys.argv[1:];"
        "import runpy; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    argv = [sys.executable, "-c", code, *place.argv(plan(step("big", nodes=2)), "stand-in")[1:]]
    done = subprocess.run(argv, cwd=place.root, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "step 'big' could not be started: Argument list too long" in done.stdout


def test_the_flow_has_a_timeout_of_its_own(place: Workplace) -> None:
    result = place.run(plan(step("slow", "sleep 600"), timeout=1), "stand-in")
    assert result.code == 1
    assert "the flow's timeout of 1.0s is over" in result.out
    assert result.seconds < 8


def test_two_runs_at_once_in_one_folder(place: Workplace) -> None:
    steps = plan(step("gang", "echo $FLOWC_ADDRESS; sleep 1", nodes=2))
    processes = [place.start(steps, "stand-in") for _ in range(2)]
    assert [process.wait(timeout=30) for process in processes] == [0, 0]
    for process in processes:
        process.communicate()
    assert len(place.folders()) == 2
    addresses = [path.read_text() for folder in place.folders() for path in folder.glob("*.log")]
    if _can_bind_all():
        assert len(set(addresses)) == 4


def _can_bind_all() -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.9.9.9", 0))
        except OSError:
            return False
    return True


def test_what_cannot_start_is_said_with_exit_code_2(place: Workplace) -> None:
    for option, words in [
        ("cpus=0", "the number of cores must be above 0"),
        ("jobs=0", "at least one step must run at a time"),
        ("store=ftp://x", "the store ftp://x is of an unknown kind"),
        ("store=/dev/null/x", "cannot"),
        ("speed=1", "unknown parameter 'speed'"),
    ]:
        result = place.run(plan(step("never")), "stand-in", option)
        assert result.code == 2, option
        assert result.out.startswith("flowc: cannot start the run: "), option
        assert words in result.out, option
    assert not list(place.root.glob(".flowc/runs/*"))


def test_a_step_larger_than_the_machine_runs_and_is_mentioned(place: Workplace) -> None:
    result = place.run(plan(step("large", cpu=64.0, nodes=2)), "stand-in", "cpus=2")
    assert result.code == 0
    assert "more cores asked for than this machine's 2: large (128); such a step runs alone" in result.out
