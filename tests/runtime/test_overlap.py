"""Two attempts of one task overlap: whatever the interleaving, one commit, and consumers see only that one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowc.runtime import layout, plan
from flowc.runtime.commit import seal
from tests.runtime.nodes import Task, outputs, python, step


class Gated:
    """An attempt that runs until a chosen store operation and waits there."""

    def __init__(self, task: Task, attempt: str) -> None:
        ask_read, ask_write = os.pipe()
        answer_read, self._answer = os.pipe()
        self._ask = os.fdopen(ask_read)
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("gated_node.py")), task.step.name, task.ix],
            env=task.environment(attempt, 0) | {"GATE_OUT": str(ask_write), "GATE_IN": str(answer_read)},
            pass_fds=(ask_write, answer_read),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(ask_write)
        os.close(answer_read)
        self.operations: list[str] = []

    def run_until(self, gate: int | None) -> bool:
        """Answer gates up to number `gate` (None: all); False when the attempt ended before."""
        for line in self._ask:
            self.operations.append(line.strip())
            if gate is not None and len(self.operations) > gate:
                return True
            os.write(self._answer, b".")
        return False

    def end(self) -> int:
        """Let a paused attempt go on to its end; gives the exit code."""
        os.write(self._answer, b".")
        self.run_until(None)
        return self.code()

    def code(self) -> int:
        """The exit code of an attempt whose gates have all been answered."""
        code = self.process.wait(30)
        self._ask.close()
        os.close(self._answer)
        return code


def attempt_task(root: Path, ix: str) -> Task:
    """A step in as many loops as `ix` has indexes, which also says whether the innermost ends."""
    root.mkdir()
    body = python("from flowc.runtime import current\ncurrent.outputs.who = current.attempt")
    who = plan.FromStep("work", "who")
    controls = (plan.Ends("again", plan.Compare("==", who, plan.Const("slow"))),)
    work = step(body, outputs=outputs(who="string"), controls=controls if ix else ())
    nodes: tuple[plan.Node, ...] = (work,)
    for depth in range(len(layout.path_of(ix))):
        nodes = (plan.Loop(f"again{depth or ''}", 1, "", 9, plan.Decided("work", "again"), (), nodes),)
    return Task(root, work, ix=ix, nodes=nodes)


@pytest.mark.parametrize("ix", ["", "2.0"])
def test_one_attempt_paused_at_every_store_operation_while_another_runs(tmp_path: Path, ix: str) -> None:
    """The paused one goes on afterwards: it ends well, and the outputs stay those of whoever committed first."""
    gate = 0
    winners = []
    while True:
        task = attempt_task(tmp_path / str(gate), ix)
        slow = Gated(task, "slow")
        paused = slow.run_until(gate)
        if not paused:
            assert slow.code() == 0
            break
        fast = Gated(task, "fast")
        assert not fast.run_until(None)
        assert fast.code() == 0
        commit = task.commit()
        assert commit is not None, f"no commit although an attempt ended well: {fast.operations}"
        first = task.values()
        assert slow.end() == 0

        assert task.commit() == commit
        assert task.values() == first == {"who": {"type": "string", "value": commit.attempt}}
        assert commit.control == ({"again": commit.attempt == "slow"} if ix else {})
        winners.append(commit.attempt)
        gate += 1

    # Paused before its commit the slow attempt loses, after it the slow attempt has won: both must have been seen.
    assert set(winners) == {"slow", "fast"}
    assert winners == sorted(winners), "once committed, always committed"  # "fast" … "fast", "slow" … "slow"
    assert any("put_new" in line and layout.commit_key("demo", "run-1", "work", ix) in line for line in slow.operations)


def test_an_attempt_paused_at_every_store_operation_while_its_absence_is_sealed(tmp_path: Path) -> None:
    """Sealing and committing compete for one object: the attempt ends well if and only if it was first."""
    gate = 0
    statuses = []
    while True:
        task = attempt_task(tmp_path / str(gate), "2.0")
        slow = Gated(task, "slow")
        if not slow.run_until(gate):
            assert slow.code() == 0
            break
        sealed = seal(task.store, "demo", "run-1", "work", "nobody waits any more", ix="2.0")
        code = slow.end()

        assert task.commit() == sealed
        assert code == (0 if sealed.status == "done" else 64)
        statuses.append(sealed.status)
        gate += 1

    assert set(statuses) == {"done", "failed"}
    assert statuses == sorted(statuses, reverse=True)  # "failed" … "failed", "done" … "done"
