"""A single-node step, through real supervisors: what bodies see, what is published, how failures read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from flowc.runtime import plan
from tests.runtime.nodes import Task, bash, outputs, python, step

HOSTILE = "a 'b' \"c\" $(touch pwned) `x` {{x}} ${y} \\ \n\ttab é😀 -- --x=1 %s"


def given(**values: tuple[str, plan.Json]) -> tuple[plan.Input, ...]:
    return tuple(plan.Input(name, type_, plan.Const(value)) for name, (type_, value) in values.items())


def test_argv_keeps_every_byte_and_lists_expand(tmp_path: Path) -> None:
    argv = tuple(
        plan.Const(text)
        for text in ("python", "-c", "import json,sys; open(sys.argv[1],'w').write(json.dumps(sys.argv[2:]))")
    )
    operands: tuple[plan.Operand, ...] = (
        *argv,
        plan.OutRef("seen"),
        plan.InRef("text"),
        plan.InRef("many"),
        plan.InRef("on"),
        plan.InRef("x"),
    )
    inputs = given(
        text=("string", HOSTILE), many=("list[string]", ["", "-x", HOSTILE]), on=("bool", True), x=("float", "nan")
    )
    task = Task(tmp_path, step(plan.Command(operands), inputs=inputs, outputs=outputs(seen="string")))

    assert task.finish().codes == [0]

    assert json.loads(task.values()["seen"]["value"]) == [HOSTILE, "", "-x", HOSTILE, "true", "nan"]
    assert not (tmp_path / "pwned").exists()


def test_bash_sees_text_paths_and_json_files(tmp_path: Path) -> None:
    script = bash(
        'printf "%s" "$in_text" > "$out_text"; cat "$in_many" > "$out_many"; echo "$in_n$FLOWC_STEP" > "$out_n"'
    )
    inputs = given(text=("string", HOSTILE), many=("list[list[int]]", [[1], []]), n=("int", 4))
    task = Task(
        tmp_path, step(script, inputs=inputs, outputs=outputs(text="string", many="list[list[int]]", n="string"))
    )

    assert task.finish().codes == [0]

    values = {name: entry["value"] for name, entry in task.values().items()}
    assert values == {"text": HOSTILE, "many": [[1], []], "n": "4work"}


def test_a_failing_command_fails_the_bash_script(tmp_path: Path) -> None:
    result = Task(tmp_path, step(bash("false\necho never"))).finish()

    assert result.codes == [1]
    assert "never" not in result.text
    assert "step 'work': exit code 1" in result.text


def test_call_gets_keywords_and_returns_outputs(tmp_path: Path) -> None:
    source = """
        from pathlib import Path
        import helper
        def go(n, name="x"):
            Path("kept.csv").write_text(name * n)
            Path("folder/sub").mkdir(parents=True)
            Path("folder/sub/a").write_text("A")
            return {"table": "kept.csv", "tree": Path("folder"), "xs": (1, 2.5), "flag": helper.yes}
    """
    files = {"lib/code.py": textwrap.dedent(source), "lib/helper.py": "yes = True\n"}
    types = {"table": "file", "tree": "dir", "xs": "list[float]", "flag": "bool"}
    task = Task(
        tmp_path,
        step(
            plan.Call("lib/code.py", "go"), inputs=given(n=("int", 2), name=("string", "ab")), outputs=outputs(**types)
        ),
        files=files,
    )

    result = task.finish()

    assert result.codes == [0], result.text
    values = task.values()
    assert values["table"]["name"] == "kept.csv"
    assert values["table"]["size"] == 4
    assert values["tree"]["type"] == "dir"
    assert values["xs"]["value"] == [1.0, 2.5]
    assert values["flag"]["value"] is True


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def go():\n    return {'loss': 'much', 'n': 1}", "wrong value for the output 'loss': expected float"),
        ("def go():\n    return 3", "return a dictionary with the keys loss, n"),
        ("def go():\n    return {'loss': 1.0}", "missing: n"),
        ("def go():\n    raise RuntimeError('no luck')", "RuntimeError: no luck"),
    ],
)
def test_a_call_that_returns_the_wrong_thing_fails_with_the_outputs_name(
    tmp_path: Path, source: str, says: str
) -> None:
    task = Task(
        tmp_path, step(plan.Call("c.py", "go"), outputs=outputs(loss="float", n="int")), files={"c.py": source + "\n"}
    )

    result = task.finish()

    assert result.codes == [1]
    assert says in result.text
    assert "flowc/runtime" not in result.text, "the user's traceback shows the user's code only"
    assert task.commit() is None


@pytest.mark.parametrize(
    ("body", "type_", "says"),
    [
        ("pass", "int", "output 'x' (int) was not written"),
        (
            "current.outputs.x.write_text('3.5')",
            "int",
            "output 'x': expected int (a whole number such as 3), found '3.5'",
        ),
        ("current.outputs.x.write_bytes(b'\\xff')", "string", "is not a text file in UTF-8"),
        ("current.outputs.x.mkdir()", "file", "output 'x' is not a file"),
        ("open(str(current.outputs.x) + '.npz', 'w')", "file", "there is 'x.npz': the program added an ending"),
        ("current.outputs.x = 'no'", "int", "TypeError: output 'x': expected int, found string 'no'"),
        ("current.outputs.y = 1", "int", "this step has no output 'y'; its outputs: x"),
        ("current.inputs.y", "int", "this step has no input 'y'; its inputs: none"),
    ],
)
def test_a_wrong_or_missing_output_is_a_clear_failure(tmp_path: Path, body: str, type_: str, says: str) -> None:
    task = Task(tmp_path, step(python(f"from flowc.runtime import current\n{body}"), outputs=outputs(x=type_)))

    result = task.finish()

    assert result.codes[0] in (1, 64)
    assert says in result.text
    assert task.commit() is None


def test_a_file_and_a_folder_travel_to_the_next_step(tmp_path: Path) -> None:
    made = step(
        python(
            "from flowc.runtime import current\nimport os\n"
            "current.outputs.one.write_bytes(bytes(range(256)))\n"
            "d = current.outputs.many; (d / 'sub' / 'empty').mkdir(parents=True)\n"
            "(d / 'run.sh').write_text('#!/bin/sh\\necho ran'); (d / 'run.sh').chmod(0o755)\n"
            "os.symlink('run.sh', d / 'link')"
        ),
        name="made",
        outputs=outputs(one="file", many="dir"),
    )
    used = step(
        bash('"$in_many/link" > "$out_said"; [ -d "$in_many/sub/empty" ]; wc -c < "$in_one" > "$out_size"'),
        inputs=(
            plan.Input("one", "file", plan.FromStep("made", "one")),
            plan.Input("many", "dir", plan.FromStep("made", "many")),
        ),
        outputs=outputs(said="string", size="int"),
    )
    assert Task(tmp_path, made, more_steps=[used]).finish().codes == [0]
    task = Task(tmp_path, used, more_steps=[made])

    result = task.finish()

    assert result.codes == [0], result.text
    assert {name: entry["value"] for name, entry in task.values().items()} == {"said": "ran", "size": 256}


def test_equal_content_is_stored_once(tmp_path: Path) -> None:
    body = bash('echo same > "$out_a"; echo same > "$out_b"')
    task = Task(tmp_path, step(body, outputs=outputs(a="file", b="file")))

    assert task.finish().codes == [0]

    values = task.values()
    assert values["a"]["blob"] == values["b"]["blob"]
    assert len(list((tmp_path / "store/demo/blobs/sha256").iterdir())) == 1


def test_a_damaged_blob_is_noticed_by_its_reader(tmp_path: Path) -> None:
    made = step(bash('echo good > "$out_a"'), name="made", outputs=outputs(a="file"))
    used = step(bash("true"), inputs=(plan.Input("a", "file", plan.FromStep("made", "a")),))
    assert Task(tmp_path, made, more_steps=[used]).finish().codes == [0]
    [blob] = (tmp_path / "store/demo/blobs/sha256").iterdir()
    blob.write_text("evil\n")

    result = Task(tmp_path, used, more_steps=[made]).finish()

    assert result.codes == [74]
    assert "gave wrong bytes for the blob" in result.text


def test_a_timeout_ends_the_body_and_everything_it_started(tmp_path: Path) -> None:
    task = Task(tmp_path, step(bash("setsid sleep 300 & sleep 300 & echo started; wait"), settings={"timeout": 1}))
    with task.start() as attempt:
        attempt.wait_for(0, "started")
        result = attempt.finish(20)

        assert result.codes == [124]
        assert "step 'work': timed out after 1 s" in result.text
        assert attempt.survivors() == []


def test_what_a_body_leaves_running_ends_with_the_step(tmp_path: Path) -> None:
    task = Task(
        tmp_path,
        step(bash('setsid sleep 300 & echo $! > "$out_pid"; echo started; sleep 0.5'), outputs=outputs(pid="int")),
    )
    with task.start() as attempt:
        attempt.wait_for(0, "started")
        assert attempt.finish(20).codes == [0]

    assert not psutil.pid_exists(task.values()["pid"]["value"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_step_and_is_told(tmp_path: Path, number: signal.Signals) -> None:
    task = Task(tmp_path, step(bash("trap '' TERM; echo started; while true; do sleep 0.1; done")))
    with task.start() as attempt:
        attempt.wait_for(0, "started")
        began = time.monotonic()
        attempt.processes[0].send_signal(number)
        result = attempt.finish(20)

        assert result.codes == [128 + number]
        assert f"was told to stop ({number.name})" in result.text
        assert time.monotonic() - began < 5, "a body that ignores TERM is killed"
        assert attempt.survivors() == []


def test_the_death_of_the_engine_ends_the_step(tmp_path: Path) -> None:
    task = Task(tmp_path, step(bash("echo started; sleep 300")))
    reader, writer = os.pipe()
    os.set_inheritable(reader, True)
    log = tmp_path / "log"
    with log.open("wb") as stdout:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "flowc.runtime", "step", "work"],
            env=task.environment("try-1", 0) | {"FLOWC_LIFELINE_FD": str(reader)},
            pass_fds=[reader],
            stdout=stdout,
            start_new_session=True,
        )
    os.close(reader)
    while "started" not in log.read_text():
        time.sleep(0.02)
    children = psutil.Process(supervisor.pid).children(recursive=True)
    assert children

    os.close(writer)

    assert supervisor.wait(10) == 143
    assert [child for child in children if child.is_running()] == []


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = Task(tmp_path, step(plan.Command((plan.Const("no-such-program"),)))).finish()

    assert result.codes == [64]
    assert "cannot start 'no-such-program': there is no such program" in result.text


def test_output_that_is_no_text_and_lines_without_end_pass(tmp_path: Path) -> None:
    body = python("import os; os.write(1, b'\\xff\\x00 raw\\n' + b'x' * 300000 + b'\\nlast without newline')")
    task = Task(tmp_path, step(body))
    with task.start() as attempt:
        assert attempt.finish(30).codes == [0]
        data = (tmp_path / f"{attempt.name}.0.log").read_bytes()

    assert data.startswith(b"\xff\x00 raw\n")
    assert data.count(b"x") == 300000
    assert data.endswith(b"last without newline\n")
    chunks = sorted((tmp_path / f"store/demo/run-1/work/a/{attempt.name}/log/0").iterdir())
    assert b"".join(chunk.read_bytes() for chunk in chunks) == data


def test_a_body_does_not_see_what_is_the_supervisors_own(tmp_path: Path) -> None:
    body = bash('env | grep -E "^FLOWC_(STORE|PARAMS|LIFELINE)" && exit 9; echo "$GREETING $FLOWC_NUM_NODES"')
    task = Task(tmp_path, step(body, env=(plan.EnvVar("GREETING", plan.Const("hello")),)), env={"FLOWC_PARAMS": "Zm9v"})

    result = task.finish()

    assert result.codes == [0]
    assert "hello 1" in result.text


def test_the_record_of_a_failure_holds_what_the_message_says(tmp_path: Path) -> None:
    task = Task(tmp_path, step(bash("echo one; echo two >&2; exit 3")))
    with task.start() as attempt:
        attempt.finish(30)

    record = task.failure(attempt.name)
    assert record == {
        "attempt": attempt.name,
        "code": 3,
        "exit_code": 3,
        "ix": "",
        "last_lines": ["one", "two"],
        "message": "step 'work': exit code 3",
        "node": 0,
        "rank": None,
        "reason": "exit code 3",
        "signal": None,
        "step": "work",
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"FLOWC_BUNDLE": "0" * 64}, "is not in the store"),
        ({"FLOWC_BUNDLE": "short"}, "FLOWC_BUNDLE is no sha256"),
        ({"FLOWC_ENGINE": "nomad"}, "this runtime knows argo, batch, local"),
        ({"FLOWC_STORE": "ftp://x"}, "unknown kind"),
        ({"FLOWC_RUN": "../x"}, "it may hold letters, digits"),
        ({"FLOWC_NODES": "2"}, "runs on 1 nodes, this is a gang of 2"),
    ],
)
def test_a_wrong_environment_is_told_without_a_traceback(tmp_path: Path, change: dict[str, str], says: str) -> None:
    result = Task(tmp_path, step(bash("true")), env=change).finish()

    assert result.codes[0] in (64, 74)
    assert says in result.text
    assert "Traceback" not in result.text


def test_a_carriage_return_in_an_output_survives(tmp_path: Path) -> None:
    body = python(
        "from flowc.runtime import current\ncurrent.outputs.x = 'a\\r\\nb\\rc\\n'\ncurrent.outputs.y = ['\\r']"
    )
    task = Task(tmp_path, step(body, outputs=outputs(x="string", y="list[string]")))

    assert task.finish().codes == [0]

    assert task.values()["x"]["value"] == "a\r\nb\rc\n"
    assert task.values()["y"]["value"] == ["\r"]


def test_an_output_folder_that_holds_nothing_is_no_output(tmp_path: Path) -> None:
    task = Task(tmp_path, step(bash('mkdir -p "$(dirname "$out_x")/.named/x"'), outputs=outputs(x="file")))

    result = task.finish(20)

    assert result.codes == [64]
    assert "output 'x' was not written" in result.text


def test_a_whole_number_of_too_many_digits_is_refused(tmp_path: Path) -> None:
    body = python("import os; open(os.environ['out_x'], 'w').write('9' * 5000)")
    task = Task(tmp_path, step(body, outputs=outputs(x="int")))

    result = task.finish()

    assert result.codes == [64]
    assert "output 'x': expected int" in result.text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"FLOWC_PEER_TIMEOUT": "soon"}, "FLOWC_PEER_TIMEOUT is 'soon', not a number of seconds"),
        ({"TMPDIR": "/proc/self/no-such-folder", "TEMP": "", "TMP": ""}, None),
    ],
)
def test_what_the_environment_says_is_checked(tmp_path: Path, change: dict[str, str], says: str | None) -> None:
    result = Task(tmp_path, step(bash("true")), env=change).finish()

    assert result.codes == ([64] if says else [0])
    assert (says or "") in result.text
    assert "Traceback" not in result.text


def test_a_step_that_the_plan_does_not_have_is_a_wrong_plan(tmp_path: Path) -> None:
    task = Task(tmp_path, step(bash("true")))

    run = subprocess.run(
        [sys.executable, "-m", "flowc.runtime", "step", "other"],
        env=task.environment("try-1", 0),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert run.returncode == 64
    assert "the plan of flow 'demo' has no step 'other'" in run.stdout
    assert "Traceback" not in run.stdout + run.stderr


def test_a_slow_reader_gets_all_of_the_output(tmp_path: Path) -> None:
    """The body is long gone when the last of its output is read."""
    line = "line %06d of the output of this body\n"
    # As much as the supervisor takes before it stops to read, and a little more, which the body leaves in its pipe.
    count = ((4 << 20) + (170 << 10)) // len(line % 0)
    body = python(f"import sys\nsys.stdout.write(''.join({line!r} % i for i in range({count})))")
    task = Task(tmp_path, step(body))
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "flowc.runtime", "step", "work"],
        env=task.environment("try-1", 0),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert supervisor.stdout is not None
    time.sleep(4)  # the queue, the pipes and the body are all full meanwhile
    text = b""
    while part := os.read(supervisor.stdout.fileno(), 65536):
        text += part
        time.sleep(0.01)
    supervisor.stdout.close()

    assert supervisor.wait(20) == 0
    assert text.splitlines()[-1] == (line % (count - 1)).strip().encode()
    assert text.count(b"\n") == count


def test_the_last_words_of_a_body_that_leaves_a_daemon_are_shown(tmp_path: Path) -> None:
    """The daemon holds the pipe open, so that its end never comes."""
    result = Task(tmp_path, step(bash('sleep 300 & printf "no newline at the end"'))).finish(20)

    assert result.codes == [0]
    assert "no newline at the end" in result.text


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_change_nothing(tmp_path: Path, closed: str) -> None:
    body = python("from flowc.runtime import current\nprint('hi')\ncurrent.outputs.x = 1")
    task = Task(tmp_path, step(body, outputs=outputs(x="int")))
    command = f'exec "{sys.executable}" -m flowc.runtime step work {closed}'

    run = subprocess.run(["bash", "-c", command], env=task.environment("try-1", 0), capture_output=True, timeout=60)

    assert run.returncode == 0, run.stderr
    assert task.values()["x"]["value"] == 1
    # Nothing that the supervisor opened later may have got the number of its output.
    assert b"hi" in (tmp_path / "store/demo/run-1/work/a/try-1/log/0/000000").read_bytes()


def test_a_store_that_never_answers_does_not_keep_a_node_that_was_told_to_stop(tmp_path: Path) -> None:
    """As with a dead network file system: the call cannot be cut short, the node can."""
    task = Task(tmp_path, step(bash("true")))
    run = tmp_path / "store/demo/run-1/run.json"
    run.unlink()
    os.mkfifo(run)  # opening it waits for a writer for ever
    with task.start() as attempt:
        time.sleep(2)
        attempt.processes[0].terminate()
        result = attempt.finish(10)

    assert result.codes == [143]
    assert "was told to stop (SIGTERM)" in result.text


def test_a_store_that_never_answers_at_all_does_not_either(tmp_path: Path) -> None:
    task = Task(tmp_path, step(bash("true")))
    (tmp_path / "store/demo/run-1/work").mkdir()
    os.mkfifo(tmp_path / "store/demo/run-1/work/commit.json")
    with task.start() as attempt:
        time.sleep(2)
        attempt.processes[0].terminate()

        assert attempt.finish(10).codes == [143]


SMALL_DISK = """
import errno, sys, time, os
from pathlib import Path
from flowc.runtime import step
from flowc.runtime.__main__ import main
def full(*args):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/scratch/context.json")
def broken(*args):
    raise RuntimeError("a fault nobody thought of")
if sys.argv[1] == "full":
    step.prepare = full
elif sys.argv[1] == "running":
    step.read_lines = broken
elif os.environ["FLOWC_NODE"] == "1":
    step.prepare = broken
code = main(["step", "work"])
sys.stdout.flush(); sys.stderr.flush()
os._exit(code)
"""


def faulty(task: Task, mode: str, attempt: str, node: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SMALL_DISK, mode],
        env=task.environment(attempt, node),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_full_disk_of_the_node_is_named(tmp_path: Path) -> None:
    process = faulty(Task(tmp_path, step(bash("true"))), "full", "try")
    text = process.communicate(timeout=30)[0]

    assert process.returncode == 64
    assert "No space left on device" in text
    assert "/scratch/context.json" in text
    assert "Traceback" not in text


def test_a_fault_of_flowc_ends_a_body_that_runs(tmp_path: Path) -> None:
    process = faulty(Task(tmp_path, step(bash("sleep 300"))), "running", "try")
    text = process.communicate(timeout=20)[0]

    assert process.returncode == 70
    assert "a fault nobody thought of" in text
    assert "this is a fault of flowc itself" in text


def test_a_fault_of_flowc_on_one_node_is_told_as_that_nodes_failure(tmp_path: Path) -> None:
    task = Task(tmp_path, step(bash("true"), gang=plan.Gang(2, plan.Plain())))
    nodes = [faulty(task, "worker", "try", node) for node in (0, 1)]
    texts = [process.communicate(timeout=30)[0] for process in nodes]

    assert [process.returncode for process in nodes] == [70, 70]
    assert "step 'work', node 1: " in texts[0]
    assert "RuntimeError: a fault nobody thought of" in texts[0]
    assert "lost" not in texts[0]
