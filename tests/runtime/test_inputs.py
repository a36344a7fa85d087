"""Inputs that are more than one output or parameter, and the types that are more than text: run by real supervisors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowc.runtime import plan
from flowc.runtime.plan import Const, Either, FromParam, FromRun, FromStep, Input, MakeList, MakeObject, Member, Text
from tests.runtime.nodes import Task, bash, outputs, python, step

SHOW = python("from flowc.runtime import current\nimport json\ncurrent.outputs.seen = json.dumps(current.inputs.x)")
MADE = step(
    python(
        "from flowc.runtime import current\n"
        "current.outputs.n = 3; current.outputs.s = 'é'; current.outputs.ok = True\n"
        "current.outputs.j = {'a': [1, None, {'b': 2.5}]}\n"
        "current.outputs.one.write_text('first'); current.outputs.two.write_text('second')"
    ),
    name="made",
    outputs=outputs(n="int", s="string", ok="bool", j="json", one="file", two="file"),
)


def of(output: str) -> FromStep:
    return FromStep("made", output)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which `made` is done."""
    root = tmp_path_factory.mktemp("made")
    for name, body in (("made", MADE),):
        result = Task(root, body, params=(("p", "float", 1),)).finish()
        assert result.codes == [0], f"{name}: {result.text}"
    return root


def seen(made: Path, name: str, type_: str, value: plan.Value) -> Any:
    """What a body gets as the input `x`."""
    used = step(SHOW, name=name, inputs=(Input("x", type_, value),), outputs=outputs(seen="string"))
    task = Task(made, used, params=(("p", "float", 1),), more_steps=[MADE])
    result = task.finish()
    assert result.codes == [0], result.text
    return json.loads(task.values()["seen"]["value"])


@pytest.mark.parametrize(
    ("name", "type_", "value", "expected"),
    [
        ("text", "string", Text((Const("n="), of("n"), Const(" "), of("s"), of("ok"), FromParam("p"))), "n=3 étrue1.0"),
        ("many", "list[float]", MakeList((of("n"), FromParam("p"), Const(0.5))), [3.0, 1.0, 0.5]),
        ("nested", "list[list[int]]", MakeList((MakeList((of("n"),)), Const([]))), [[3], []]),
        ("object", "json", MakeObject((Member("a", of("n")), Member("b", of("j")))), {
            "a": 3,
            "b": {"a": [1, None, {"b": 2.5}]},
        }),
        ("either", "int", Either((of("n"), Const(1))), 3),
        ("run", "string", FromRun("id"), "run-1"),
        ("json", "json", of("j"), {"a": [1, None, {"b": 2.5}]}),
    ],
)  # fmt: skip
def test_a_value_is_evaluated_on_the_node(made: Path, name: str, type_: str, value: plan.Value, expected: Any) -> None:
    assert seen(made, name, type_, value) == expected


def test_a_list_of_files_is_a_list_of_paths(made: Path) -> None:
    """In Python, in argv, and for a script as a JSON file."""
    inputs = (Input("x", "list[file]", MakeList((of("one"), of("two"), of("one")))),)
    cat = 'out=$1; shift; echo "$(cat "$1") $(cat "$2") $(cat "$3")" > "$out"'
    bodies: dict[str, plan.Body] = {
        "in_python": python(
            "from flowc.runtime import current\n"
            "current.outputs.seen = ' '.join(path.read_text() for path in current.inputs.x)"
        ),
        "in_argv": plan.Command((*map(Const, ("sh", "-c", cat, "sh")), plan.OutRef("seen"), plan.InRef("x"))),
        "in_bash": bash(
            'python -c "import json,sys; print(*[open(p).read() for p in json.load(open(sys.argv[1]))])" "$in_x"'
            ' > "$out_seen"'
        ),
    }
    for name, body in bodies.items():
        task = Task(
            made,
            step(body, name=name, inputs=inputs, outputs=outputs(seen="string")),
            params=(("p", "float", 1),),
            more_steps=[MADE],
        )
        result = task.finish()
        assert result.codes == [0], result.text
        assert task.values()["seen"]["value"] == "first second first"


def test_json_is_one_argument_and_a_file_for_scripts(tmp_path: Path) -> None:
    value: dict[str, plan.Json] = {"b": [1, "é"], "a": None}
    inputs = (Input("x", "json", Const(value)), Input("y", "list[list[int]]", Const([[1], [2, 3]])))
    argv = tuple(map(Const, ("python", "-c", "import json,sys; open(sys.argv[1],'w').write(json.dumps(sys.argv[2:]))")))
    body = plan.Command((*argv, plan.OutRef("seen"), plan.InRef("x"), plan.InRef("y")))
    task = Task(tmp_path, step(body, inputs=inputs, outputs=outputs(seen="json")))
    assert task.finish().codes == [0]
    assert task.values()["seen"]["value"] == ['{"b":[1,"é"],"a":null}', "[1]", "[2,3]"]

    script = step(bash('cp "$in_x" "$out_seen"'), name="script", inputs=inputs, outputs=outputs(seen="json"))
    task = Task(tmp_path, script)
    assert task.finish().codes == [0]
    assert list(task.values()["seen"]["value"].items()) == list(value.items())  # its order is kept


def test_a_pickle_goes_from_one_function_to_the_next(tmp_path: Path) -> None:
    files = {
        "code.py": (
            "class Model:\n    def __init__(self, n): self.n = n\n"
            "def make(): return {'model': Model(4), 'extra': (1, {2})}\n"
            "def use(model, extra): return model.n + len(extra)\n"
        )
    }
    made = step(plan.Call("code.py", "make"), name="made", outputs=outputs(model="pickle", extra="pickle"))
    inputs = tuple(Input(name, "pickle", FromStep("made", name)) for name in ("model", "extra"))
    used = step(plan.Call("code.py", "use"), name="used", inputs=inputs, outputs=outputs(n="int"))
    result = Task(tmp_path, made, files=files, more_steps=[used]).finish()
    assert result.codes == [0], result.text
    task = Task(tmp_path, used, files=files, more_steps=[made])
    result = task.finish()
    assert result.codes == [0], result.text
    assert task.values()["n"]["value"] == 6

    script = step(
        python("from flowc.runtime import current\ncurrent.outputs.n = current.inputs.model.n"),
        name="script",
        inputs=inputs,
        outputs=outputs(n="int"),
    )
    task = Task(tmp_path, script, files=files, more_steps=[made])
    result = task.finish()
    assert result.codes == [0], result.text
    assert task.values()["n"]["value"] == 4


def test_strings_of_parts_in_argv_and_in_the_environment(tmp_path: Path) -> None:
    greeting = plan.Format((Const("${x} "), plan.InRef("n"), Const("/"), plan.RunId()))
    target = plan.Format((Const("--to="), plan.OutRef("seen")))
    code = "import os,sys; open(sys.argv[2][5:],'w').write(sys.argv[1] + '|' + os.environ['WHERE'])"
    body = plan.Command((Const("python"), Const("-c"), Const(code), greeting, target))
    env = (plan.EnvVar("WHERE", plan.Format((Const("at "), plan.OutRef("seen")))),)
    task = Task(
        tmp_path,
        step(body, inputs=(Input("n", "int", Const(7)),), outputs=outputs(seen="string"), env=env),
    )
    result = task.finish()
    assert result.codes == [0], result.text
    argument, variable = task.values()["seen"]["value"].split("|")
    assert argument == "${x} 7/run-1"
    assert variable.startswith("at /")
    assert variable.endswith("/seen")


@pytest.mark.parametrize(
    ("body", "type_", "says"),
    [
        ("current.outputs.x = {1: 2}", "json", "an object with the key 1; JSON's keys are strings"),
        ("current.outputs.x = [float('nan')]", "json", "found nan, which JSON does not have"),
        ("current.outputs.x = {'a': {1, 2}}", "json", "expected json, found set"),
        ("current.outputs.x.write_text('{')", "json", "expected json as JSON, found '{'"),
        ("current.outputs.x = lambda: 1", "pickle", "a function cannot be pickled"),
        ("current.outputs.x", "pickle", "was not written"),
    ],
)
def test_what_json_and_pickle_cannot_hold_is_said(tmp_path: Path, body: str, type_: str, says: str) -> None:
    task = Task(tmp_path, step(python(f"from flowc.runtime import current\n{body}"), outputs=outputs(x=type_)))
    result = task.finish()
    assert result.codes[0] in (1, 64)
    assert says in result.text
    assert task.commit() is None
