"""Instances of tasks, by real supervisors: what each reads, what it commits, what is sealed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowc.runtime import layout, plan
from flowc.runtime.commit import commit_done, commit_failed, read_commit, seal, write_outputs
from flowc.runtime.decide import decide
from flowc.runtime.errors import Stop
from flowc.runtime.plan import Const, Either, FromItem, FromParam, FromStep, Gather, Input, LastTurn, Previous
from flowc.runtime.run_record import Status, read_run, record_status
from tests.runtime.nodes import Task, bash, outputs, python, step

SHOW = "from flowc.runtime import current\nimport json\nx = current.inputs\n"


def shows(name: str, expression: str, inputs: tuple[Input, ...], **changes: Any) -> plan.Step:
    """A step whose output `x` is the JSON of a Python expression."""
    body = python(f"{SHOW}current.outputs.x = json.loads(json.dumps({expression}))")
    return step(body, name=name, inputs=inputs, outputs=outputs(x="json"), **changes)


def x_of(task: Task) -> Any:
    return task.values()["x"]["value"]


def done(task: Task) -> Task:
    result = task.finish()
    assert result.codes == [0] * task.size, result.text
    return task


def fan_out(name: str, items: plan.Value, *nodes: plan.Node, task: str = plan.BEGIN) -> plan.FanOut:
    return plan.FanOut(name, 1, "", items, None, plan.Decided(task, name), (), nodes)


# --- foreach ---

WORDS = FromParam("words")
LENGTH = step(
    python(SHOW + "current.outputs.n = len(x.word); current.outputs.text.write_text(x.word)"),
    name="length",
    inputs=(Input("word", "string", FromItem("word")),),
    outputs=outputs(n="int", text="file"),
)
TWICE = shows(
    "twice",
    "{'n': 2 * x.n, 'text': x.text.read_text(), 'index': current.index}",
    (Input("n", "int", FromStep("length", "n")), Input("text", "file", FromStep("length", "text"))),
)
JOIN = shows(
    "join",
    "[x.all, x.many, [path.read_text() for path in x.texts]]",
    (
        Input("all", "list[int]", Gather("word", FromStep("length", "n"))),
        Input("many", "list[json]", Gather("word", FromStep("twice", "x"))),
        Input("texts", "list[file]", Gather("word", FromStep("length", "text"))),
    ),
)
BEGIN = plan.Decision(plan.BEGIN, (), (plan.Items("word", WORDS),))
FOREACH = (BEGIN, fan_out("word", WORDS, LENGTH, TWICE), JOIN)


def test_each_item_has_its_instances_and_a_join_reads_all_of_them(tmp_path: Path) -> None:
    words: plan.Json = ["a", "bcd", "", "é", "fifth"]
    task = Task(tmp_path, JOIN, nodes=FOREACH, params=(("words", "list[string]", words),))
    assert task.decide(plan.BEGIN).returncode == 0
    begun = task.commit_of(plan.BEGIN)
    assert begun is not None
    assert (begun.status, begun.control) == ("done", {"word": [0, 1, 2, 3, 4]})

    for index in (3, 0, 4, 2, 1):  # whoever comes first
        done(task.changed(step=LENGTH, ix=str(index)))
        twice = done(task.changed(step=TWICE, ix=str(index)))
        assert isinstance(words, list)
        word = str(words[index])
        assert x_of(twice) == {"n": 2 * len(word), "text": word, "index": [index]}
    done(task)
    lengths, many, texts = x_of(task)
    assert (lengths, texts) == ([1, 3, 0, 1, 5], words)
    assert [item["index"] for item in many] == [[0], [1], [2], [3], [4]]
    assert task.commit_of("length") is None, "an instance commits under its own path only"


def test_an_instance_says_its_index_and_keeps_its_objects_under_it(tmp_path: Path) -> None:
    shown = step(bash('echo "$FLOWC_INDEX" > "$out_x"; exit "$in_code"'), name="shown", outputs=outputs(x="string"))
    shown = replace(shown, inputs=(Input("code", "int", FromItem("code")),))
    inner = fan_out("code", Const([0, 3]), shown, task="decide")
    nodes = (BEGIN, fan_out("word", WORDS, plan.Decision("decide", (), ()), inner))
    task = Task(tmp_path, shown, nodes=nodes, params=(("words", "list[string]", ["a"] * 12),), ix="11.0")
    assert x_of(done(task)) == "11.0"
    assert task.commit() is not None

    failing = task.changed(ix="11.1")
    with failing.start("try-1") as attempt:
        result = attempt.finish()
    assert result.codes == [3]
    assert "step 'shown[11][1]': exit code 3" in result.text
    record = failing.failure("try-1")
    assert (record["step"], record["ix"]) == ("shown", "11.1")
    store = tmp_path / "store"
    assert (store / layout.log_key("demo", "run-1", "shown", "try-1", 0, 0, "11.1")).is_file()
    assert failing.commit() is None


@pytest.mark.parametrize(
    ("name", "ix", "says"),
    [
        ("length", "", "'length' stands in one loop, and --ix gives 0 indexes (none)"),
        ("length", "1.2", "'length' stands in one loop, and --ix gives 2 indexes (1.2)"),
        ("join", "1", "'join' stands in no loop, and --ix gives 1 indexes (1)"),
        ("length", "7", "'word' has 1 items, and this is the one at 7"),
        ("length", "01", "--ix is '01'"),
        ("length", "0.", "--ix is '0.'"),
        ("length", "-1", "--ix is '-1'"),
        ("length", "a", "--ix is 'a'"),
        ("length", "../x", "--ix is '../x'"),
    ],
)
def test_a_path_that_the_step_cannot_have_is_refused(tmp_path: Path, name: str, ix: str, says: str) -> None:
    which = {"length": LENGTH, "join": JOIN}[name]
    task = Task(tmp_path, LENGTH, nodes=FOREACH, params=(("words", "list[string]", ["a"]),))
    result = task.changed(step=which, ix=ix).finish()
    assert result.codes == [64]
    assert says in result.text


# --- decisions ---

SCORE = step(
    python("from flowc.runtime import current\ncurrent.outputs.x = 0.25; current.outputs.names = ['a', 'b', 'c']"),
    name="score",
    outputs=outputs(x="float", names="list[string]"),
    controls=(
        plan.Items("name", FromStep("score", "names")),
        plan.Choice("if.good", (plan.Compare(">", FromStep("score", "x"), Const(0.5)),)),
        plan.Ends("repeat.score", plan.Compare("<", FromStep("score", "x"), FromParam("least"))),
        plan.Size("nodes.train", FromParam("nodes")),
    ),
)
PARAMS = (("least", "float", 0.5), ("nodes", "int", 4))


def test_a_step_commits_what_it_decides_with_its_outputs(tmp_path: Path) -> None:
    task = done(Task(tmp_path, SCORE, params=PARAMS))
    commit = task.commit()
    assert commit is not None
    assert commit.control == {"name": [0, 1, 2], "if.good": 1, "repeat.score": True, "nodes.train": 4}


def test_what_a_step_cannot_decide_fails_the_attempt(tmp_path: Path) -> None:
    wrong = replace(SCORE, controls=(plan.Choice("if.good", (FromStep("score", "x"),)),))
    task = Task(tmp_path, wrong)
    result = task.finish()
    assert result.codes == [64]
    assert "what 'score' decides: the control value 'if.good' should be of type bool, not 0.25" in result.text
    assert task.commit() is None

    long = step(
        python("from flowc.runtime import current\ncurrent.outputs.x = [0] * 30000"),
        outputs=outputs(x="list[int]"),
        controls=(plan.Items("i", FromStep("work", "x")),),
    )
    result = Task(tmp_path / "long", long).finish()
    assert result.codes == [64]
    assert "a foreach has room for about 10,000 items" in result.text


def test_a_decision_commits_what_it_decides_from_other_steps_on_its_path(tmp_path: Path) -> None:
    good = plan.Decision(
        "decide.if.good",
        ("length",),
        (plan.Choice("if.good", (plan.Compare(">", FromStep("length", "n"), Const(2)),)),),
    )
    task = Task(
        tmp_path,
        LENGTH,
        nodes=(BEGIN, fan_out("word", WORDS, good, LENGTH)),
        params=(("words", "list[string]", ["a", "bcd"]),),
    )
    early = task.decide("decide.if.good", "1", "early")
    assert early.returncode == 64
    assert "decision 'decide.if.good[1]': step 'length[1]' has not committed" in early.stderr
    data = task.store.get(layout.failure_key("demo", "run-1", "decide.if.good", "early", "1"))
    assert data is not None
    assert json.loads(data)["code"] == 64
    for index, expected in ((0, 1), (1, 0)):
        done(task.changed(ix=str(index)))
        assert task.decide("decide.if.good", str(index)).returncode == 0
        commit = task.commit_of("decide.if.good", str(index))
        assert commit is not None
        assert (commit.status, commit.attempt, commit.control) == ("done", "decided", {"if.good": expected})
        again = task.decide("decide.if.good", str(index), "again")
        assert again.returncode == 0
        assert task.commit_of("decide.if.good", str(index)) == commit


def test_an_engine_decides_in_its_own_process(tmp_path: Path) -> None:
    task = Task(tmp_path, LENGTH, nodes=FOREACH, params=(("words", "list[string]", ["a", "b"]),))
    run = read_run(task.store, "demo", "run-1")
    assert run is not None
    commit = decide(task.plan, run, task.store, plan.BEGIN)
    assert commit == task.commit_of(plan.BEGIN)
    assert commit.control == {"word": [0, 1]}
    assert decide(task.plan, run, task.store, plan.BEGIN).attempt == commit.attempt
    with pytest.raises(Stop, match="'length' is no decision of flow 'demo'"):
        decide(task.plan, run, task.store, "length", "0")


# --- repeat ---


def test_a_turn_reads_the_turn_before_and_the_flow_the_last_one(tmp_path: Path) -> None:
    turn = step(
        python("from flowc.runtime import current\ncurrent.outputs.n = current.inputs.n + 1"),
        name="turn",
        inputs=(Input("n", "int", Previous("again", FromStep("turn", "n"), FromParam("start"))),),
        outputs=outputs(n="int"),
        controls=(plan.Ends("again", plan.Compare(">=", FromStep("turn", "n"), Const(12))),),
    )
    after = shows("after", "x.n", (Input("n", "int", LastTurn("again", FromStep("turn", "n"))),))
    loop = plan.Loop("again", 1, "", 5, plan.Decided("turn", "again"), (), (turn,))
    task = Task(tmp_path, after, nodes=(loop, after), params=(("start", "int", 10),))
    for index, ends in ((0, False), (1, True)):
        commit = done(task.changed(step=turn, ix=str(index))).commit()
        assert commit is not None
        assert commit.control == {"again": ends}
    assert x_of(done(task)) == 12


# --- what may be missing ---

FRAIL = step(
    bash('echo 5 > "$out_n"'), name="frail", outputs=outputs(n="int"), settings={"allow_failure": True}
)  # fmt: skip
READER = shows("reader", "x.n", (Input("n", "int", Either((FromStep("frail", "n"), Const(0)))),))


def test_who_finds_a_step_missing_that_may_fail_seals_its_absence(tmp_path: Path) -> None:
    """And an attempt of it that comes back later has lost: before its body, and at its commit."""
    task = Task(tmp_path, READER, more_steps=[FRAIL])
    zombie = task.changed(step=FRAIL, more_steps=[READER])
    assert x_of(done(task)) == 0
    sealed = zombie.commit()
    assert sealed is not None
    assert (sealed.status, sealed.reason) == ("failed", "not done when 'reader' asked for it")

    result = zombie.finish()
    assert result.codes == [64]
    assert "too late: step 'frail' was given up (not done when 'reader' asked for it)" in result.text
    assert zombie.commit() == sealed


def test_a_zombie_that_was_in_its_body_when_its_absence_was_sealed_loses(tmp_path: Path) -> None:
    slow = replace(FRAIL, body=bash('echo 5 > "$out_n"; echo here; while [ ! -e "$GO" ]; do sleep 0.05; done'))
    go = tmp_path / "go"
    zombie = Task(tmp_path, slow, more_steps=[READER], env={"GO": str(go)})
    with zombie.start() as attempt:
        attempt.wait_for(0, "here")
        assert x_of(done(zombie.changed(step=READER, more_steps=[slow]))) == 0
        go.touch()
        result = attempt.finish()
    assert result.codes == [64]
    assert "was given up" in result.text
    commit = zombie.commit()
    assert commit is not None
    assert commit.status == "failed"


def test_a_step_that_failed_for_good_is_absent_for_all_and_one_that_was_done_stays_done(tmp_path: Path) -> None:
    task = Task(tmp_path, READER, more_steps=[FRAIL])
    store = task.store
    assert commit_failed(store, "demo", "run-1", "frail", "try-2", "exit code 3").status == "failed"
    assert x_of(done(task)) == 0

    other = Task(tmp_path / "other", READER, more_steps=[FRAIL])
    done(other.changed(step=FRAIL, more_steps=[READER]))
    assert commit_failed(other.store, "demo", "run-1", "frail", "try-2", "exit code 3").status == "done"
    assert seal(other.store, "demo", "run-1", "frail", "late").status == "done"
    assert x_of(done(other)) == 5


def test_a_failed_step_that_is_needed_is_named(tmp_path: Path) -> None:
    made = step(bash("true"), name="made", outputs=outputs(n="int"))
    needs = shows("needs", "x.n", (Input("n", "int", FromStep("made", "n")),))
    task = Task(tmp_path, needs, more_steps=[made])
    commit_failed(task.store, "demo", "run-1", "made", "try-1", "exit code 3")
    result = task.finish()
    assert result.codes == [64]
    assert "step 'made' has failed (exit code 3), and 'needs' needs its outputs" in result.text


def test_finally_reads_how_the_flow_ended_and_what_there_is(tmp_path: Path) -> None:
    """Whatever is missing then is missing for good, decisions too: nobody finds it later."""
    arm = plan.Branch("if.a", 1, "", plan.Decided("decide.if.a", "if.a"), False, (), (plan.Arm((LENGTH,)),))
    notify = shows(
        "notify",
        "[x.status, x.failed, x.n, x.m]",
        (
            Input("status", "string", plan.FromRun("status")),
            Input("failed", "string", plan.FromRun("failed_step")),
            Input("n", "int", Either((FromStep("made", "n"), Const(-1)))),
            Input("m", "int", Either((FromStep("length", "n"), Const(-2)))),
        ),
    )
    made = step(bash('echo 5 > "$out_n"'), name="made", outputs=outputs(n="int"))
    nodes = (plan.Decision("decide.if.a", (), ()), made, arm)
    task = Task(tmp_path, notify, nodes=nodes, finals=(notify,))
    result = task.finish()
    assert result.codes == [64]
    assert "input 'status': run.status is not known before the end of the run" in result.text

    assert record_status(task.store, "demo", "run-1", Status("failed", "made")) == Status("failed", "made")
    late = record_status(task.store, "demo", "run-1", Status("succeeded", ""))
    assert late == Status("failed", "made"), "the first status counts"
    done(task)
    assert x_of(task) == ["failed", "made", -1, -2]
    for name in ("made", "decide.if.a"):
        commit = task.commit_of(name)
        assert commit is not None
        assert commit.status == "failed"
    decided = task.decide("decide.if.a")
    assert decided.returncode == 64
    assert "it was given up: not done when 'notify' asked for it" in decided.stderr


# --- gangs ---


def gang_of(size: plan.Value, **changes: Any) -> tuple[plan.Decision, plan.Step]:
    decision = plan.Decision(plan.BEGIN, (), (plan.Size("nodes.work", size),))
    gang = plan.Gang(None, plan.Plain(), plan.Decided(plan.BEGIN, "nodes.work"))
    body = python(
        "from flowc.runtime import current\n"
        "current.outputs.first = current.cluster.num_nodes\n"
        "current.outputs.place = 10 * current.cluster.node_index\n"
        "current.outputs.shard.write_text(f'of node {current.cluster.node_index}')\n"
    )
    declared = (
        plan.Output("first", "int"),
        plan.Output("place", "int", each=True),
        plan.Output("shard", "file", each=True),
    )
    return decision, step(body, gang=gang, outputs=declared, **changes)


def test_each_node_of_a_gang_gives_its_own_outputs_in_node_order(tmp_path: Path) -> None:
    """The other outputs are node 0's alone; the size is what was decided."""
    decision, work = gang_of(FromParam("n"), controls=(plan.Items("i", FromStep("work", "place", each=True)),))
    after = shows(
        "after",
        "[x.first, x.places, [path.read_text() for path in x.shards]]",
        (
            Input("first", "int", FromStep("work", "first")),
            Input("places", "list[int]", FromStep("work", "place", each=True)),
            Input("shards", "list[file]", FromStep("work", "shard", each=True)),
        ),
    )
    task = Task(tmp_path, work, nodes=(decision, work, after), params=(("n", "int", 3),), gang=3)
    assert task.decide(plan.BEGIN).returncode == 0
    done(task)
    commit = task.commit()
    assert commit is not None
    assert commit.control == {"i": [0, 1, 2]}
    entries = task.values()
    assert [entry["value"] for entry in entries["place"]["each"]] == [0, 10, 20]
    assert x_of(done(task.changed(step=after, gang=1))) == [3, [0, 10, 20], ["of node 0", "of node 1", "of node 2"]]


def test_a_node_that_does_not_write_its_own_output_fails_the_gang(tmp_path: Path) -> None:
    body = bash('if [ "$FLOWC_NODE_INDEX" != 1 ]; then echo 1 > "$out_x"; fi')
    work = step(body, gang=plan.Gang(2, plan.Plain()), outputs=(plan.Output("x", "int", each=True),))
    task = Task(tmp_path, work)
    result = task.finish()
    assert result.codes == [64, 64]
    assert "step 'work', node 1: output 'x' (int) was not written" in result.text
    assert task.commit() is None


@pytest.mark.parametrize("size", [0, -3, 10_001])
def test_a_size_that_no_gang_can_have_fails_it_before_its_body_starts(tmp_path: Path, size: int) -> None:
    """Not the task that decides it: the gang may stand in an arm that is never taken."""
    decision, work = gang_of(FromParam("n"))
    task = Task(tmp_path, work, nodes=(decision, work), params=(("n", "int", size),), gang=1)
    assert task.decide(plan.BEGIN).returncode == 0
    result = task.finish()
    assert result.codes == [64]
    assert f"step 'work' should run on {size} nodes; a gang has from 1 to 10,000" in result.text
    assert task.commit() is None


def test_a_gang_of_another_size_than_was_decided_is_refused(tmp_path: Path) -> None:
    decision, work = gang_of(FromParam("n"))
    task = Task(tmp_path, work, nodes=(decision, work), params=(("n", "int", 2),), gang=1)
    result = task.finish()
    assert result.codes == [64]
    assert "step 'work' runs on 2 nodes, this is a gang of 1" in result.text


# --- secrets ---

HUB = plan.Secret("hub", "a/b", "c:d", "HUB")
WITH_SECRET = step(
    bash('echo "the token is $TOKEN."; printf %s "$TOKEN" | wc -c > "$out_n"; [ -z "$in_fail" ] || exit 1'),
    inputs=(Input("fail", "string", FromParam("fail")),),
    env=(plan.EnvVar("TOKEN", plan.SecretRef("hub")),),
    outputs=outputs(n="int"),
)


@pytest.mark.parametrize("fail", ["", "yes"])
def test_a_secret_comes_as_a_variable_and_stands_in_no_record_and_no_log(tmp_path: Path, fail: str) -> None:
    secret = "s3cr3t/value\nof two lines"
    task = Task(tmp_path, WITH_SECRET, secrets=[HUB], env={"HUB": secret}, params=(("fail", "string", fail),))
    result = task.finish()
    assert result.codes == [1 if fail else 0], result.text
    assert "the token is ***\n" in result.text
    assert "***." in result.text
    if not fail:
        assert task.values()["n"]["value"] == len(secret)
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert not any(b"s3cr3t" in data or b"two lines" in data for data in written)


def test_a_secret_that_is_not_there_is_named_with_where_it_should_be(tmp_path: Path) -> None:
    task = Task(tmp_path, WITH_SECRET, secrets=[HUB], params=(("fail", "string", ""),))
    result = task.finish()
    assert result.codes == [64]
    assert "the secret 'hub', which TOKEN is to hold, is not there" in result.text
    assert "the environment variable HUB is not set (set it where flowc is started)" in result.text


def test_a_cluster_sets_the_variable_itself(tmp_path: Path) -> None:
    env = {"FLOWC_ENGINE": "argo", "FLOWC_POD_UID": "1-2", "TOKEN": "abcd"}
    task = Task(tmp_path, WITH_SECRET, secrets=[HUB], env=env, params=(("fail", "string", ""),))
    assert task.finish().codes == [0]
    assert task.values()["n"]["value"] == 4
    result = task.changed(run="run-2", env={**env, "TOKEN": ""}).finish()
    assert result.codes == [0], "an empty secret is one"


# --- commits ---


def test_instances_of_one_step_have_commits_of_their_own(tmp_path: Path) -> None:
    store = Task(tmp_path, step(bash("true"))).store
    for ix in ("", "0", "0.1", "1"):
        digest = write_outputs(store, "demo", "run-1", "s", "try", {}, ix=ix)
        assert commit_done(store, "demo", "run-1", "s", "try", digest, {"of": ix}, ix=ix).control == {"of": ix}
    for ix in ("", "0", "0.1", "1"):
        found = read_commit(store, "demo", "run-1", "s", ix)
        assert found is not None
        assert found.control == {"of": ix}
    assert read_commit(store, "demo", "run-1", "s", "2") is None
