"""The page about CI is true: its commands run, with its exit codes, and its schema describes the JSON document."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from flowc.compiler.driver import check_source
from flowc.compiler.render import json as renderer
from flowc.dsl.spans import Source
from tests.test_docs import BLOCK, FLOWC, ROOT, block

PAGE = "docs/ci.md"
BAD = sorted((ROOT / "tests" / "samples" / "bad").iterdir())
COMMANDS = re.findall(r"^    (flowc .*)$", BLOCK.sub("", (ROOT / PAGE).read_text()), re.MULTILINE)

GOOD_FLOW = 'flow train {\n  step fit {\n    memory = 16GiB\n    run ["fit"]\n  }\n}\n'


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = re.sub(r"^flowc", str(FLOWC), command)
    return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "train.flow").write_text(GOOD_FLOW)
    return tmp_path


def test_the_page_has_commands() -> None:
    assert len(COMMANDS) == 9


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_runs(command: str, folder: Path) -> None:
    done = shell(command, folder)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", [command for command in COMMANDS if "explain" not in command])
def test_a_command_fails_where_something_is_wrong(command: str, folder: Path) -> None:
    (folder / "flows" / "train.flow").write_text(GOOD_FLOW.replace("run [", "run  [").replace("16GiB", "16GB"))
    done = shell(command, folder)
    assert done.returncode == 1, done.stdout + done.stderr
    (folder / "flows" / "train.flow").unlink()
    assert shell(command, folder).returncode == 2


def test_the_document_for_scanning_is_written_also_when_something_is_wrong(folder: Path) -> None:
    (command,) = [command for command in COMMANDS if "sarif" in command]
    step, upload = yaml.safe_load(block(PAGE, "upload-sarif", "yaml"))
    assert step["run"] == command
    (folder / "flows" / "train.flow").write_text(GOOD_FLOW.replace("16GiB", "16GB"))
    shell(command, folder)
    written = json.loads((folder / upload["with"]["sarif_file"]).read_text())
    assert [result["ruleId"] for result in written["runs"][0]["results"]] == ["F0111"]


# --- the schema -------------------------------------------------------------------------------------------------------


def strict(schema: Any) -> Any:
    """The schema with every field that it does not name refused: it must name all that there are."""
    if isinstance(schema, dict):
        made = {name: strict(value) for name, value in schema.items()}
        return made | ({"additionalProperties": False} if "required" in schema else {})
    return [strict(value) for value in schema] if isinstance(schema, list) else schema


SCHEMA = json.loads(block(PAGE, "$schema", "json"))
VALIDATOR = Draft202012Validator(strict(SCHEMA))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["version"] == {"const": renderer.VERSION}
    assert not VALIDATOR.is_valid({"version": 2, "files": []})


@pytest.mark.parametrize("folder", BAD, ids=lambda folder: folder.name)
def test_the_schema_describes_the_document(folder: Path) -> None:
    source = Source("flow.flow", (folder / "flow.flow").read_bytes().decode())
    document = json.loads(renderer.render([(source, check_source(source, folder).diagnostics)]))
    assert [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(document)] == []


@pytest.mark.parametrize("command", ["check", "fmt", "run", "compile --target argo"])
@pytest.mark.parametrize("kind", ["json", "sarif", "github"])
def test_every_command_has_the_formats(command: str, kind: str, folder: Path) -> None:
    (folder / "flows" / "train.flow").write_text(GOOD_FLOW.replace("run [", "rum ["))
    done = shell(f"flowc {command} flows/train.flow --format {kind}", folder)
    assert done.returncode == 1
    said, rest = (done.stdout, done.stderr) if command == "check" else (done.stderr, done.stdout)
    assert rest == ""
    if kind == "github":
        assert said.startswith("::error file=flows/train.flow,line=4,")
    else:
        assert set(json.loads(said)) >= {"version"}


@pytest.mark.parametrize("command", ["fmt", "compile --target argo --output build"])
def test_nothing_but_the_document_stands_there(command: str, folder: Path) -> None:
    (folder / "flows" / "train.flow").write_text(GOOD_FLOW.replace("run [", "run  ["))
    done = shell(f"flowc {command} flows/train.flow --format json", folder)
    assert done.returncode == 0
    assert [each["diagnostics"] for each in json.loads(done.stderr)["files"]] == [[]]
