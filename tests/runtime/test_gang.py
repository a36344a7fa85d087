"""Plain gangs of real supervisors on loopback: they meet, live and end together, and the right node is named."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from flowc.runtime import layout, plan
from flowc.runtime.gang import Cause, Timing, first_cause, trust
from flowc.runtime.gang.head import Head, _Member
from flowc.runtime.gang.worker import Worker
from flowc.runtime.identity import Identity
from flowc.runtime.store import open_store
from tests.runtime.nodes import Attempt, Task, outputs, python, step

START = "from flowc.runtime import current\nimport os, sys, time\nprint('up', flush=True)\n"
WAIT = "time.sleep(300)\n"


def gang(root: Path, nodes: int, body: str, **changes: Any) -> Task:
    env = changes.pop("env", {})
    assert isinstance(env, dict)
    return Task(root, step(python(START + body), gang=plan.Gang(nodes, plan.Plain()), **changes), env=env)


def all_up(attempt: Attempt) -> None:
    for node in attempt.processes:
        attempt.wait_for(node, "up")


def test_all_nodes_see_the_same_cluster_and_node_0_speaks_for_the_gang(tmp_path: Path) -> None:
    body = (
        "c = current.cluster\n"
        "print('I am', c.node_index, 'of', c.num_nodes, c.addresses, os.environ['FLOWC_ADDRESSES'])\n"
        "current.outputs.who = c.node_index\n"
    )
    task = gang(tmp_path, 4, body, outputs=outputs(who="int"))

    result = task.finish()

    assert result.codes == [0, 0, 0, 0]
    for node, text in enumerate(result.output):
        assert f"I am {node} of 4 ('127." in text
    assert len({text.split("4 ")[1] for text in result.output}) == 1
    assert task.values()["who"]["value"] == 0


def test_a_gang_of_one_is_a_gang(tmp_path: Path) -> None:
    task = gang(tmp_path, 1, "print(current.cluster.num_nodes, current.cluster.is_main)")

    result = task.finish()

    assert result.codes == [0]
    assert "1 True" in result.text


def test_the_failing_node_is_named_with_its_code_and_last_lines(tmp_path: Path) -> None:
    task = gang(tmp_path, 3, f"if current.cluster.node_index == 2:\n    print('out of luck'); sys.exit(9)\n{WAIT}")
    with task.start() as attempt:
        all_up(attempt)
        began = time.monotonic()
        result = attempt.finish(20)
        seconds = time.monotonic() - began

        assert result.codes == [9, 71, 9]
        assert "step 'work', node 2: exit code 9" in result.output[0]
        assert "out of luck" in result.output[0]
        assert seconds < 5
        assert task.failure(attempt.name)["node"] == 2
        assert attempt.survivors() == []


@pytest.mark.parametrize(("victim", "codes"), [(1, [72, -9, 71]), (0, [-9, 72, 72])])
def test_a_killed_supervisor_ends_the_gang(tmp_path: Path, victim: int, codes: list[int]) -> None:
    task = gang(tmp_path, 3, WAIT)
    with task.start() as attempt:
        all_up(attempt)
        orphans = attempt.descendants(victim)
        began = time.monotonic()
        attempt.processes[victim].kill()
        result = attempt.finish(20)

        assert result.codes == codes
        assert time.monotonic() - began < 5
        assert f"node {victim}" in result.text
        assert "was lost: its connection closed" in result.text
        gone, alive = psutil.wait_procs(orphans, 5)
        assert gone
        assert not alive, "a supervisor's death takes its body along"


def test_a_silent_node_ends_the_gang_at_the_peer_timeout(tmp_path: Path) -> None:
    task = gang(tmp_path, 2, WAIT, env={"FLOWC_PEER_TIMEOUT": "3"})
    with task.start() as attempt:
        all_up(attempt)
        began = time.monotonic()
        attempt.processes[1].send_signal(signal.SIGSTOP)
        attempt.processes[0].wait(15)
        seconds = time.monotonic() - began
        attempt.processes[1].send_signal(signal.SIGCONT)
        result = attempt.finish(20)

        assert result.codes[0] == 72
        assert 2.5 < seconds < 3 + 1 + 4 + 2  # the timeout, the collecting, the wait for its farewell
        assert "step 'work', node 1: the node was lost: nothing was heard of it for 3 s" in result.output[0]


def test_a_supervisor_that_was_stopped_for_less_than_the_timeout_is_forgiven(tmp_path: Path) -> None:
    task = gang(tmp_path, 2, "time.sleep(7)", env={"FLOWC_PEER_TIMEOUT": "4"})
    with task.start() as attempt:
        all_up(attempt)
        for node in (0, 1):
            attempt.processes[node].send_signal(signal.SIGSTOP)
        time.sleep(5)  # both at once: each finds, on waking, that the other was quiet for too long
        for node in (0, 1):
            attempt.processes[node].send_signal(signal.SIGCONT)

        assert attempt.finish(20).codes == [0, 0]


@pytest.mark.parametrize("missing", [1, 0])
def test_a_node_that_never_comes_is_named_at_the_deadline(tmp_path: Path, missing: int) -> None:
    task = gang(tmp_path, 3, WAIT, settings={"start_timeout": 2})
    with task.start(nodes=[node for node in range(3) if node != missing]) as attempt:
        result = attempt.finish(15)

    if missing:
        assert result.codes[0] == 73
        assert "node 1 of 3 did not arrive within the start timeout" in result.output[0]
    else:
        assert result.codes == [73, 73]
        assert "node 0 of the gang did not arrive" in result.text
    assert result.seconds < 8


def test_late_nodes_in_any_order_are_waited_for(tmp_path: Path) -> None:
    task = gang(tmp_path, 3, "")
    with task.start(nodes=[2]) as attempt:
        time.sleep(0.7)
        attempt.add(0)
        time.sleep(0.7)
        attempt.add(1)

        assert attempt.finish(20).codes == [0, 0, 0]


def test_term_to_any_node_ends_all(tmp_path: Path) -> None:
    task = gang(tmp_path, 3, WAIT)
    with task.start() as attempt:
        all_up(attempt)
        attempt.processes[1].terminate()
        began = time.monotonic()
        result = attempt.finish(15)

        assert result.codes == [143, 143, 71]
        assert time.monotonic() - began < 5
        assert "node 1: was told to stop (SIGTERM)" in result.output[0]


def test_a_second_attempt_does_not_meet_the_first(tmp_path: Path) -> None:
    """The first attempt's worker still waits for its node 0 when the whole second attempt runs."""
    task = gang(tmp_path, 2, "", settings={"start_timeout": 20})
    with task.start("first", nodes=[1]) as stale, task.start("second") as fresh:
        assert fresh.finish(20).codes == [0, 0]
        # It sees in the end that the task is done, without ever having met the second attempt's nodes.
        assert stale.finish(20).codes == [0]
        assert "up" not in stale.log(1)


def test_nodes_that_come_after_the_commit_have_nothing_to_do(tmp_path: Path) -> None:
    task = gang(tmp_path, 2, "")
    assert task.finish().codes == [0, 0]

    again = task.finish(10)

    assert again.codes == [0, 0]
    assert "already done" in again.text


def test_a_second_process_that_claims_the_same_node_is_refused(tmp_path: Path) -> None:
    task = gang(tmp_path, 2, "time.sleep(1.5)")
    with task.start("try") as attempt:
        all_up(attempt)
        double = Attempt(task, "try", (1,))
        with double:
            result = double.finish(15)
        assert result.codes == [70]
        assert "another process is already node 1 of attempt try" in result.text
        assert attempt.finish(20).codes == [0, 0]


def test_strangers_and_wrong_certificates_do_not_disturb_a_gang(tmp_path: Path) -> None:
    task = gang(tmp_path, 2, "time.sleep(2)")
    with task.start("try") as attempt:
        all_up(attempt)
        data = task.store.get(layout.node_key("demo", "run-1", "work", "try", 0))
        assert data is not None
        head = trust.load_entry(data)
        with socket.create_connection((head.address, head.port)) as plain:
            plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        (tmp_path / "stranger").mkdir()
        own = trust.make_certificate(tmp_path / "stranger")
        context = trust.client_context(own, head)
        refused = False
        try:
            with context.wrap_socket(socket.create_connection((head.address, head.port))) as link:
                link.sendall(json.dumps({"kind": "hello", "node": 1}).encode() + b"\n")
                refused = link.recv(1000) == b""
        except (ssl.SSLError, ConnectionError):
            refused = True

        assert refused, "a certificate that is not in the store opens nothing"
        assert attempt.finish(20).codes == [0, 0]


def test_an_outage_of_the_store_does_not_end_a_running_gang(tmp_path: Path) -> None:
    store_away = tmp_path / "away"
    task = gang(tmp_path, 2, "time.sleep(4)", outputs=())
    with task.start() as attempt:
        all_up(attempt)
        (tmp_path / "store").rename(store_away)
        time.sleep(2)
        store_away.rename(tmp_path / "store")

        assert attempt.finish(20).codes == [0, 0]


def cause(at: float, *, node: int = 0, code: int | None = None, number: int | None = None) -> Cause:
    return Cause(node, None, code, number, "", (), at)


def test_the_first_failure_is_the_earliest_but_a_signal_beats_its_echo() -> None:
    echo = cause(10.00, node=1, code=1)
    killed = cause(10.04, node=2, number=signal.SIGKILL)
    late = cause(10.20, node=3, number=signal.SIGKILL)
    told = cause(10.01, node=4, number=signal.SIGTERM)

    assert first_cause([late, echo]) == echo
    assert first_cause([echo, killed, late]) == killed
    assert first_cause([told, echo]) == echo, "TERM is what launchers send to survivors"


@pytest.mark.parametrize("certificate", [None, "no certificate", "", 3])
def test_a_damaged_entry_ends_the_gang_at_once_and_says_so(tmp_path: Path, certificate: object) -> None:
    """Else node 0 would wait for a node that is there, and blame it for not coming."""
    task = gang(tmp_path, 2, "")
    entry: dict[str, object] = {"node": 1, "address": "127.0.0.1", "port": 0}
    entry |= {} if certificate is None else {"certificate": certificate}
    task.store.put(layout.node_key("demo", "run-1", "work", "try", 1), json.dumps(entry).encode())
    with task.start("try", nodes=[0]) as attempt:
        result = attempt.finish(20)

    assert result.codes == [74]
    assert "entry in the store is damaged" in result.text
    assert "Traceback" not in result.text


def test_long_last_lines_of_a_worker_reach_node_0(tmp_path: Path) -> None:
    body = "if current.cluster.node_index:\n    os.write(1, (b'\\xff' * 100000 + b'\\n') * 25); sys.exit(9)\n" + WAIT
    with gang(tmp_path, 2, body).start() as attempt:
        result = attempt.finish(30)

    assert result.codes == [9, 9]
    assert "step 'work', node 1: exit code 9" in result.output[0]


def test_a_store_that_never_answers_is_bounded_by_the_start_timeout(tmp_path: Path) -> None:
    task = gang(tmp_path, 2, "", settings={"start_timeout": 3})
    head = tmp_path / "store" / layout.node_key("demo", "run-1", "work", "try", 0)
    head.parent.mkdir(parents=True)
    os.mkfifo(head)  # opening it waits for a writer for ever
    with task.start("try", nodes=[1]) as attempt:
        result = attempt.finish(12)

    assert result.codes == [73]


def test_a_stranger_does_not_hold_a_connection(tmp_path: Path) -> None:
    task = gang(tmp_path, 2, "time.sleep(8)")
    with task.start("try") as attempt:
        all_up(attempt)
        data = task.store.get(layout.node_key("demo", "run-1", "work", "try", 0))
        assert data is not None
        head = trust.load_entry(data)
        with socket.create_connection((head.address, head.port), timeout=7) as stranger:
            assert stranger.recv(1) == b"", "who does not begin TLS is let go"

        assert attempt.finish(20).codes == [0, 0]


def test_an_address_that_is_none_is_told(tmp_path: Path) -> None:
    for address, says in [("nowhere", "not an IP address"), ("192.0.2.1", "cannot listen on 192.0.2.1")]:
        task = gang(tmp_path / address, 2, "", env={"FLOWC_ADDRESS": address})
        with task.start(nodes=[0]) as attempt:
            result = attempt.finish(20)

        assert result.codes == [64]
        assert says in result.text
        assert "Traceback" not in result.text


def identity(node: int) -> Identity:
    return Identity("local", "", "", "demo", "run-1", "work", "0" * 64, "try", node, 2, "127.0.0.1")


def test_a_worker_waits_for_a_node_0_that_is_slow_to_greet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not go and come again: node 0 would take the connection that it gave up for a node that was lost."""
    store = open_store((tmp_path / "store").as_uri())
    certificates = []
    for name in "head", "worker":
        (tmp_path / name).mkdir()
        certificates.append(trust.make_certificate(tmp_path / name))
    connections = 0

    async def greet_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readline()
        await asyncio.sleep(6)
        writer.write(b'{"kind": "welcome"}\n{"kind": "met", "addresses": ["a", "b"]}\n')
        await reader.read()
        writer.close()

    async def meet() -> tuple[str, ...]:
        context = trust.server_context(certificates[0])
        context.load_verify_locations(cadata=certificates[1].pem)
        server = await asyncio.start_server(greet_slowly, "127.0.0.1", 0, ssl=context)
        entry = trust.Entry(0, "127.0.0.1", server.sockets[0].getsockname()[1], certificates[0].pem)
        store.put(layout.node_key("demo", "run-1", "work", "try", 0), entry.dump())

        async def not_committed() -> bool:
            return False

        deadline = time.monotonic() + 30
        worker = Worker(identity(1), "127.0.0.1", store, certificates[1], deadline, Timing(), not_committed)
        addresses = await worker.meet()
        await worker.close()
        server.close()
        await asyncio.sleep(0.1)
        return addresses

    assert asyncio.run(meet()) == ("a", "b")
    assert connections == 1


class Stuck:
    """A connection whose other side takes no farewell."""

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        """Nowhere."""

    def close(self) -> None:
        """Never."""

    async def wait_closed(self) -> None:
        await asyncio.sleep(60)


def test_many_lost_nodes_do_not_add_up_when_node_0_ends(tmp_path: Path) -> None:
    own = trust.make_certificate(tmp_path)

    async def close() -> float:
        head = Head(identity(0), "127.0.0.1", open_store(str(tmp_path)), own, 0.0, Timing())
        stuck: Any = Stuck()
        for node in range(1, 20):
            head._members[node] = _Member(trust.Entry(node, "", 0, ""), writer=stuck, gone=True)
        began = time.monotonic()
        await head.close()
        return time.monotonic() - began

    assert asyncio.run(close()) < 3


def test_a_fault_in_a_task_of_the_link_ends_the_gang(tmp_path: Path) -> None:
    """Nobody awaits these tasks: without a verdict the gang would wait for ever."""
    own = trust.make_certificate(tmp_path)

    async def verdict() -> Cause:
        head = Head(identity(0), "127.0.0.1", open_store(str(tmp_path)), own, 0.0, Timing(collect=0.1))

        async def broken() -> None:
            raise RuntimeError("nobody thought of it")

        head._watched(broken())
        return await asyncio.wait_for(head.verdict, 5)

    cause = asyncio.run(verdict())
    assert (cause.node, cause.code) == (0, 70)
    assert "nobody thought of it" in cause.reason
