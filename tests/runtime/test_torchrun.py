"""torchrun gangs of two nodes with two ranks each, with real torch over gloo."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from flowc.runtime import plan
from tests.runtime.nodes import Task, outputs, step, torchrun

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PROGRAM = """
import os, signal, sys, time
import torch, torch.distributed as dist
mode, out = sys.argv[1:]
dist.init_process_group("gloo")
rank, generation = dist.get_rank(), int(os.environ["TORCHELASTIC_RESTART_COUNT"])
total = torch.tensor([float(rank)])
dist.all_reduce(total)
assert total.item() == 6.0, total
print("summed", total.item(), "in generation", generation, flush=True)
time.sleep(0.3)  # gloo's threads let go of the tensors; a Python that ends under them aborts now and then (torch 2.13)
if mode == "killed" and rank == 3 or mode == "restarted" and rank == 2 and generation == 0:
    os.kill(os.getpid(), signal.SIGKILL)
if mode == "exits" and rank == 1:
    print("giving up"); sys.exit(7)
if mode == "raises" and rank == 2:
    raise RuntimeError("no such luck")
if mode == "waits":
    time.sleep(300)
open(out, "w").write(f"{total.item()} from rank {rank} on node {os.environ['FLOWC_NODE_INDEX']}")
dist.barrier()
dist.destroy_process_group()
os._exit(0)  # see above
"""


def task(root: Path, mode: str, restarts: int = 0, **changes: Any) -> Task:
    body = plan.Command((plan.Const("train.py"), plan.Const(mode), plan.OutRef("x")))
    one = step(body, outputs=outputs(x="string"), gang=torchrun(2, 2, restarts), **changes)
    return Task(root, one, files={"train.py": PROGRAM})


def test_ranks_sum_and_rank_0_alone_gives_the_output(tmp_path: Path) -> None:
    """Every rank writes an output of its own; what counts is the one of the gang's first process."""
    one = task(tmp_path, "well")

    result = one.finish()

    assert result.codes == [0, 0], result.text
    assert one.values()["x"]["value"].startswith("6.0 from rank 0 ")
    assert sum(text.count("summed 6.0 in generation 0") for text in result.output) == 4
    assert "[rank 3] summed" in result.text


def test_the_first_process_of_each_node_gives_what_each_node_has(tmp_path: Path) -> None:
    """In the order of flowc's nodes, whatever ranks torch hands out; the rest comes from RANK 0, wherever it is."""
    program = (
        "import os, sys\n"
        "who = ' '.join(os.environ[name] for name in ('FLOWC_NODE_INDEX', 'LOCAL_RANK', 'RANK'))\n"
        "for path in sys.argv[1:]: open(path, 'w').write(who)\n"
    )
    body = plan.Command((plan.Const("train.py"), plan.OutRef("first"), plan.OutRef("each")))
    declared = (plan.Output("first", "string"), plan.Output("each", "string", each=True))
    one = Task(tmp_path, step(body, outputs=declared, gang=torchrun(2, 2)), files={"train.py": program})

    result = one.finish()

    assert result.codes == [0, 0], result.text
    entries = one.values()
    each = [entry["value"].split() for entry in entries["each"]["each"]]
    assert [(node, local) for node, local, _ in each] == [("0", "0"), ("1", "0")]
    assert {rank for _, _, rank in each} == {"0", "2"}
    assert entries["first"]["value"].endswith("0 0")


@pytest.mark.parametrize(
    ("mode", "rank", "node", "how", "code"),
    [
        ("killed", 3, 1, "killed by SIGKILL", 137),
        ("exits", 1, 0, "exit code 7", 7),
        ("raises", 2, 1, "exit code 1", 1),
    ],
)
def test_the_rank_that_failed_first_is_named(
    tmp_path: Path, mode: str, rank: int, node: int, how: str, code: int
) -> None:
    one = task(tmp_path, mode)
    with one.start() as attempt:
        result = attempt.finish()

        assert result.codes[0] == code
        assert f"step 'work', node {node}, rank {rank}: {how}" in result.output[0]
        last = {"killed": "summed 6.0", "exits": "giving up", "raises": "RuntimeError: no such luck"}[mode]
        assert last in "\n".join(one.failure(attempt.name)["last_lines"])
    assert one.commit() is None


def test_a_killed_rank_is_restarted_where_restarts_are_left(tmp_path: Path) -> None:
    one = task(tmp_path, "restarted", restarts=1)

    result = one.finish()

    assert result.codes == [0, 0], result.text
    # The other node's agent may not count this as one of its own restarts: its ranks can stay in generation 0.
    assert "[rank 2] summed 6.0 in generation 1" in result.text
    assert one.values()["x"]["value"].startswith("6.0 from rank 0 ")


def test_a_killed_launcher_or_trampoline_leaves_nothing_behind(tmp_path: Path) -> None:
    one = task(tmp_path, "waits")
    with one.start() as attempt:
        attempt.wait_for(1, "summed", 90)
        [launcher] = psutil.Process(attempt.processes[1].pid).children()
        launcher.send_signal(signal.SIGKILL)
        result = attempt.finish(20)

        assert result.codes[0] in (1, 137)
        assert "node 1" in result.output[0]
        assert attempt.survivors() == []


def test_a_killed_worker_supervisor_takes_its_ranks_along(tmp_path: Path) -> None:
    one = task(tmp_path, "waits")
    with one.start() as attempt:
        attempt.wait_for(1, "summed", 90)
        ranks = [child for child in attempt.descendants(1) if child.cmdline()[2:3] == ["train.py"]]
        assert len(ranks) == 2
        os.kill(attempt.processes[1].pid, signal.SIGKILL)
        gone, _ = psutil.wait_procs(ranks, 5)
        assert len(gone) == 2
        result = attempt.finish(20)

        assert result.codes == [72, -9]
        assert "node 1: the node was lost: its connection closed" in result.output[0]
        assert attempt.survivors() == []


def test_a_fixed_port_is_used_and_a_taken_one_is_named(tmp_path: Path) -> None:
    import socket

    body = plan.Command((plan.Const("train.py"), plan.Const("well"), plan.OutRef("x")))
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        one = Task(
            tmp_path,
            step(body, outputs=outputs(x="string"), gang=torchrun(2, 1, port=port)),
            files={"train.py": PROGRAM},
        )
        result = one.finish()

    assert result.codes[0] == 64
    assert f"the port {port} that torchrun should use is taken" in result.output[0]
