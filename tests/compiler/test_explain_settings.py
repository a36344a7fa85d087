"""`flowc check --explain-settings STEP`: every setting of a step, where it comes from, and who asks wrongly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowc.compiler.cli import CLEAN, FAILED, USAGE, main

FLOW = """\
flow f {
  param n: int = 2

  secret hub { argo = "hub/token" }
  on argo { service_account = "steps"  max_tasks = 3 }

  defaults {
    retries = 1
    env A = "1"
    env B = secret.hub
  }

  foreach i in [1, 2] {
    step train parallel(n) {
      in  i
      gpu = 8
      main { gpu = 0 }
      mpi { args = ["--bind-to", "core"] }
      env B = i
      run ["train"]
      on argo { tolerations = [{ key = "gpu"  operator = "Exists" }] }
    }
  }

  finally {
    step tell { run ["tell"] }
  }
}
"""


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    path = tmp_path / "f.flow"
    path.write_text(FLOW)
    return path


def explained(path: Path, step: str, capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str]]:
    """The table by setting: value and source."""
    assert main(["check", str(path), "--explain-settings", step]) == CLEAN
    head, *lines = capsys.readouterr().out.splitlines()
    value, source = head.index("value"), head.index("from")
    assert head.split() == ["setting", "value", "from"]
    return {line[:value].strip(): (line[value:source].strip(), line[source:]) for line in lines}


def test_each_setting_is_told_with_its_source(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = explained(flow, "train", capsys)
    assert found["retries"] == ("1", "`defaults`, line 8")
    assert found["gpu"] == ("8", "line 16")
    assert found["memory"] == ("2GiB", "built-in")
    assert found["image"][1] == "computed from the framework"
    assert found["main.gpu"] == ("0", "line 17")
    assert found["mpi.procs_per_node"] == ("1", "built-in")
    assert found["mpi.args"] == ('["--bind-to", "core"]', "line 18")
    assert found["argo.service_account"] == ('"steps"', "the flow, line 5")
    assert found["argo.tolerations"] == ('[{ key = "gpu"  operator = "Exists" }]', "line 21")
    assert found["env.A"] == ('"1"', "`defaults`, line 9")
    assert found["env.B"] == ("i", "line 19")
    assert "argo.max_tasks" not in found


def test_settings_come_first_then_framework_main_targets_and_environment(
    flow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = [name.partition(".")[0] for name in explained(flow, "train", capsys) if "." in name]
    assert list(dict.fromkeys(groups)) == ["mpi", "main", "argo", "env"]


def test_steps_of_finally_are_steps(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(flow, "tell", capsys)["retries"] == ("1", "`defaults`, line 8")


def test_programs_get_the_same_as_json(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = explained(flow, "train", capsys)
    assert main(["check", str(flow), "--explain-settings", "train", "--format", "json"]) == CLEAN
    document = json.loads(capsys.readouterr().out)
    assert (document["version"], document["step"]) == (1, "train")
    assert {row["name"]: row["value"] for row in document["settings"]} == {
        name: value for name, (value, _) in table.items()
    }
    rows = {row["name"]: (row["origin"], row["line"]) for row in document["settings"]}
    assert rows["gpu"] == ("step", 16)
    assert rows["memory"] == ("built-in", None)
    assert rows["image"] == ("computed", None)


def test_an_unknown_step_is_a_mistake_at_the_prompt(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(flow), "--explain-settings", "trian"]) == USAGE
    assert capsys.readouterr().err.splitlines() == [
        "flowc: error: the flow 'f' has no step 'trian'",
        "  = help: did you mean `train`?",
    ]


def test_a_flow_with_mistakes_has_no_settings_yet(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flow.write_text(FLOW.replace("gpu = 8", "gpu = eight"))
    assert main(["check", str(flow), "--explain-settings", "train"]) == FAILED
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "F0405" in printed.err


def test_it_takes_one_file(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(flow), str(flow), "--explain-settings", "train"]) == USAGE
    assert "takes one flow file" in capsys.readouterr().err
