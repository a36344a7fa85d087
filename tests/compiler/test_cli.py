"""The command line as a user meets it: a process of its own, and never a traceback for what a user did."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.privileges import under_file_modes

FLOWC = Path(sys.executable).parent / "flowc"

GOOD = """flow good {
  param epochs: int = 3
  param rates: list[float] = [0.5]
  step first {
    in epochs
    in rates
    run ["echo", epochs, rates]
  }
}
"""
BAD = GOOD.replace("in epochs", "in epoch")


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Place:
    """A folder with files, in which flowc is run."""

    path: Path

    def write(self, name: str, content: str | bytes) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def flowc(self, *arguments: str, env: dict[str, str] | None = None) -> Done:
        done = subprocess.run(
            under_file_modes([str(FLOWC), *arguments]),
            cwd=self.path,
            env=os.environ | {"NO_COLOR": "1"} | (env or {}),
            capture_output=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        assert "Traceback" not in out + err, err
        return Done(done.returncode, out, err)

    def refused(self, *arguments: str) -> str:
        """What is said on standard error by a command that ends with 2 and prints nothing else."""
        done = self.flowc(*arguments)
        assert (done.code, done.out) == (2, "")
        return done.err


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path)
    found.write("good.flow", GOOD)
    found.write("bad.flow", BAD)
    return found


# --- help -------------------------------------------------------------------------------------------------------------


def test_help_has_examples_and_loads_nothing_heavy(place: Place) -> None:
    assert "examples:" in place.flowc("--help").out
    for command in ("check", "fmt", "graph", "compile", "run", "explain"):
        assert "examples:" in place.flowc(command, "--help").out
    heavy = "import sys; from flowc.compiler.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    heavy += "sys.exit(bool({'lark', 'networkx', 'yaml', 'rich', 'pathspec', 'psutil'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", heavy], stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_version(place: Place) -> None:
    assert place.flowc("--version").out == "flowc 0.1.0\n"


@pytest.mark.parametrize("arguments", [(), ("chek",), ("check",), ("compile", "good.flow"), ("run",), ("--wrong",)])
def test_a_wrong_call_is_answered_with_usage(place: Place, arguments: tuple[str, ...]) -> None:
    assert "usage: flowc" in place.refused(*arguments)


# --- check ------------------------------------------------------------------------------------------------------------


def test_check_says_nothing_when_there_is_nothing_to_say(place: Place) -> None:
    assert place.flowc("check", "good.flow") == Done(0, "", "")


def test_check_shows_mistakes_on_standard_output(place: Place) -> None:
    done = place.flowc("check", "good.flow", "bad.flow")
    assert (done.code, done.err) == (1, "")
    assert "error[F0211]" in done.out
    assert "bad.flow:5:8" in done.out
    assert "\x1b" not in done.out
    assert done.out.endswith("\n2 errors\nmore: flowc explain F0211 F0207\n")


@pytest.mark.parametrize(
    ("env", "options", "colored"),
    [
        ({"NO_COLOR": "", "FORCE_COLOR": "1"}, (), True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, (), False),
        ({"NO_COLOR": "1"}, ("--color", "always"), True),
        ({"NO_COLOR": "", "FORCE_COLOR": "1"}, ("--color", "never"), False),
    ],
)
def test_colour_only_when_asked(place: Place, env: dict[str, str], options: tuple[str, ...], colored: bool) -> None:
    assert ("\x1b[" in place.flowc("check", "bad.flow", *options, env=env).out) == colored


def test_check_as_json(place: Place) -> None:
    done = place.flowc("check", "good.flow", "bad.flow", "--format", "json")
    assert done.code == 1
    document = json.loads(done.out)
    assert document["version"] == 1
    good, bad = document["files"]
    assert (good["path"], good["diagnostics"]) == ("good.flow", [])
    first = bad["diagnostics"][0]
    assert (first["code"], first["severity"], first["span"]["line"], first["span"]["column"]) == (
        "F0211",
        "error",
        5,
        8,
    )
    assert BAD[first["span"]["start"] : first["span"]["end"]] == "epoch"
    assert first["fix"]["edits"][0]["text"] == "epochs"


@pytest.mark.parametrize("format_", ["text", "json"])
def test_of_very_many_mistakes_the_first_are_shown(place: Place, format_: str) -> None:
    place.write("many.flow", 'flow f { step s { run ["' + "\\q" * 1200 + '"] } }')
    done = place.flowc("check", "many.flow", "--format", format_)
    assert done.code == 1
    if format_ == "json":
        assert len(json.loads(done.out)["files"][0]["diagnostics"]) == 1000
    else:
        assert done.out.count("error[F0109]") == 1000
        assert "1200 errors; the first 1000 are shown\n" in done.out


def test_a_plain_check_loads_no_other_format(place: Place) -> None:
    code = "import sys\nfrom flowc.compiler.cli import main\nmain(['check', 'bad.flow'])\n"
    code += "spare = {'explain', 'fixes', 'fmt', 'rewrite', 'render.json', 'render.sarif', 'render.github'}\n"
    code += "sys.exit(bool({f'flowc.compiler.{name}' for name in spare} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=place.path, stdout=subprocess.DEVNULL, check=False)
    assert done.returncode == 0


def test_warnings_alone_are_no_failure(place: Place) -> None:
    place.write("warn.flow", 'flow warn {\n  param unused: int = 3\n  step s { run ["true"] }\n}\n')
    done = place.flowc("check", "warn.flow")
    assert done.code == 0
    assert "warning[F0212]" in done.out


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_missing_file(place: Place) -> None:
    assert "did you mean good.flow?" in place.refused("check", "god.flow")


def test_a_missing_file_with_a_name_of_its_own(place: Place) -> None:
    # That both end in `.flow` makes them no more alike.
    assert "did you mean" not in place.refused("check", "nope.flow")
    assert "there is no folder nowhere" in place.refused("check", "nowhere/x.flow")


def test_the_other_files_are_checked_all_the_same(place: Place) -> None:
    done = place.flowc("check", "missing.flow", "bad.flow")
    assert done.code == 2
    assert "error[F0211]" in done.out
    assert "missing.flow" in done.err


def test_a_folder_instead_of_a_file(place: Place) -> None:
    said = place.refused("check", ".")
    assert "is a folder" in said
    assert "bad.flow" in said


def test_an_unreadable_file(place: Place) -> None:
    place.write("closed.flow", GOOD).chmod(0)
    assert "permission denied" in place.refused("check", "closed.flow")


def test_a_name_that_is_no_path(place: Place) -> None:
    assert "cannot be read" in place.refused("check", "x" * 5000)


def test_a_file_that_is_not_utf8(place: Place) -> None:
    place.write("latin.flow", GOOD.encode() + b"# caf\xe9\n")
    said = place.refused("check", "latin.flow")
    assert f"0xe9 at offset {len(GOOD) + 5} (line {GOOD.count(chr(10)) + 1})" in said
    assert "save the file as UTF-8" in said


def test_a_file_in_utf16(place: Place) -> None:
    place.write("wide.flow", GOOD.encode("utf-16"))
    assert "is in UTF-16" in place.refused("check", "wide.flow")


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf" + GOOD.encode(), GOOD.replace("\n", "\r\n").encode()])
def test_files_of_windows_editors_are_good(place: Place, content: bytes) -> None:
    place.write("windows.flow", content)
    assert place.flowc("check", "windows.flow") == Done(0, "", "")


@pytest.mark.parametrize("content", [b"", b"\0\0\0", b"\n" * 10, b"# only a comment", bytes(range(1, 128)) * 100])
def test_a_file_that_is_no_flow(place: Place, content: bytes) -> None:
    place.write("odd.flow", content)
    done = place.flowc("check", "odd.flow")
    assert done.code == 1
    assert "error[F01" in done.out


def test_a_file_that_is_too_large(place: Place) -> None:
    place.write("data.flow", b"x" * (17 << 20))
    assert "is no flow file" in place.refused("check", "data.flow")


def test_hostile_names_do_not_write_to_the_terminal(place: Place) -> None:
    place.write("x.flow", 'flow x {\n  step \x1b[31ms { run ["\x07"] }\n  \u202e\n}\n')
    out = place.flowc("check", "x.flow").out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "\u202e" not in out


def test_output_fits_the_encoding_of_the_terminal(place: Place) -> None:
    place.write("x.flow", "flow x {\n  step s { run [漢字] }\n}\n")
    done = place.flowc("check", "x.flow", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert done.code == 1
    assert "error[F0" in done.out


# --- compile ----------------------------------------------------------------------------------------------------------

STORE = ("--store", "s3://some-bucket/prefix")


@pytest.mark.parametrize(("target", "words"), [("argo", "kind: WorkflowTemplate"), ("sfn", "AWSTemplateFormatVersion")])
def test_compile_prints_documents(place: Place, target: str, words: str) -> None:
    done = place.flowc("compile", "good.flow", "--target", target, *STORE)
    assert done.code == 0, done.err
    assert words in done.out
    assert "bundle" in done.err


def test_compile_into_a_folder(place: Place) -> None:
    done = place.flowc("compile", "good.flow", "--target", "argo", *STORE, "-o", "out/deep")
    assert (done.code, done.out) == (0, "")
    written = [path.relative_to(place.path / "out/deep") for path in (place.path / "out/deep").rglob("*")]
    files = [str(path) for path in written if (place.path / "out/deep" / path).is_file()]
    assert "workflow-template.yaml" in files
    assert sum(name.startswith("bundles/") and name.endswith(".tar") for name in files) == 1
    assert all(name in done.err for name in files if name != ".flowcignore")
    again = place.flowc("compile", "good.flow", "--target", "argo", *STORE, "-o", "out/deep")
    assert again.err == done.err


def test_what_was_compiled_is_no_part_of_a_later_bundle(place: Place) -> None:
    def digest(folder: str) -> str:
        assert place.flowc("compile", "good.flow", "--target", "argo", *STORE, "-o", folder).code == 0
        (archive,) = (place.path / folder / "bundles").iterdir()
        return archive.name

    assert digest("first") == digest("second") == digest("first")


def test_a_folder_that_held_something_keeps_its_place_in_the_bundle(place: Place) -> None:
    (place.path / "mine").mkdir()
    (place.path / "mine/helper.py").write_text("")
    assert place.flowc("compile", "good.flow", "--target", "argo", *STORE, "-o", "mine").code == 0
    assert not (place.path / "mine/.flowcignore").exists()


def test_compile_shows_mistakes_on_standard_error(place: Place) -> None:
    done = place.flowc("compile", "bad.flow", "--target", "argo", "-o", "out")
    assert (done.code, done.out) == (1, "")
    assert "error[F0211]" in done.err
    assert not (place.path / "out").exists()


def test_a_folder_that_cannot_be_written(place: Place) -> None:
    place.write("file", "")
    said = place.refused("compile", "good.flow", "--target", "argo", "-o", "file/below")
    assert "cannot write" in said
    assert "not a directory" in said


def test_documents_do_not_go_among_the_code(place: Place) -> None:
    for folder in (".", ".."):
        assert "choose a folder of its own" in place.refused("compile", "good.flow", "--target", "argo", "-o", folder)
    assert sorted(path.name for path in place.path.iterdir()) == ["bad.flow", "good.flow"]


@pytest.mark.parametrize("store", ["s3://", "s3:/bucket/prefix", "s3:bucket", "file://folder/store"])
def test_a_store_without_its_place(place: Place, store: str) -> None:
    said = place.refused("compile", "good.flow", "--target", "argo", "--store", store)
    assert f"--store '{store}'" in said
    assert "s3://bucket/prefix" in said


@pytest.mark.parametrize("store", ["ftp://x/y", "s3://[x", ""])
def test_a_store_of_an_unknown_kind(place: Place, store: str) -> None:
    assert "--store" in place.refused("compile", "good.flow", "--target", "argo", "--store", store)


def test_a_target_that_is_none(place: Place) -> None:
    assert "invalid choice: 'kubeflow'" in place.refused("compile", "good.flow", "--target", "kubeflow")


def test_a_reader_that_leaves(place: Place) -> None:
    command = [str(FLOWC), "compile", "good.flow", "--target", "argo"]
    process = subprocess.Popen(command, cwd=place.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 141
    assert "Traceback" not in said
    assert "Exception ignored" not in said


def test_a_full_disk(place: Place) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [str(FLOWC), "compile", "good.flow", "--target", "argo"],
            cwd=place.path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr


# --- run --------------------------------------------------------------------------------------------------------------


def test_run(place: Place) -> None:
    done = place.flowc("run", "good.flow", "-p", "epochs=7", "--param", "rates=[1, 0.25]")
    assert done.code == 0, done.err
    assert "7 1.0 0.25" in done.out


def test_a_parameter_of_the_wrong_type(place: Place) -> None:
    said = place.refused("run", "good.flow", "-p", "epochs=two")
    assert "expected int" in said
    assert "good.flow:2" in said
    assert "expected list[float]" in place.refused("run", "good.flow", "-p", "rates=0.5")
    assert "float" in place.refused("run", "good.flow", "-p", 'rates=["a"]')
    assert place.refused("run", "good.flow", "-p", "epochs=" + "1" * 5000)
    assert place.refused("run", "good.flow", "-p", "rates=" + "[" * 100_000)


def test_an_unknown_parameter(place: Place) -> None:
    assert "did you mean `epochs`?" in place.refused("run", "good.flow", "-p", "epoch=3")


def test_a_parameter_without_a_value(place: Place) -> None:
    assert "write it as --param epochs=VALUE" in place.refused("run", "good.flow", "-p", "epochs")


def test_a_parameter_given_twice(place: Place) -> None:
    assert "given twice" in place.refused("run", "good.flow", "-p", "epochs=1", "-p", "epochs=2")


def test_missing_parameters_are_all_named(place: Place) -> None:
    place.write(
        "open.flow", 'flow open {\n  param a: int\n  param b: string\n  step s { in a in b run ["echo", a, b] }\n}\n'
    )
    said = place.refused("run", "open.flow")
    assert "`a` and `b`" in said
    assert "--param a=… --param b=…" in said
    assert "open.flow:3 as string" in said


def test_run_shows_mistakes_and_starts_nothing(place: Place) -> None:
    done = place.flowc("run", "bad.flow")
    assert done.code == 1
    assert "error[F0211]" in done.err
    assert not (place.path / ".flowc").exists()


def test_a_folder_that_cannot_be_bundled(place: Place) -> None:
    (place.path / "away").symlink_to("/etc")
    done = place.flowc("run", "good.flow")
    assert done.code == 1
    assert "error[F0601]" in done.err
    assert "the link leaves" in done.err


# --- faults of flowc itself -------------------------------------------------------------------------------------------


def test_a_fault_in_flowc_is_called_one(place: Place) -> None:
    broken = "import flowc.compiler.driver as d, flowc.compiler.cli as c, sys\nd.check_source = None\n"
    for options, code, words in (((), 70, "this is a bug in flowc 0.1.0: TypeError"), (("--debug",), 1, "Traceback")):
        script = f"{broken}sys.exit(c.main(['check', 'good.flow', *{options}]))"
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=place.path, capture_output=True, text=True, check=False
        )
        assert done.returncode == code
        assert words in done.stderr


def test_an_interrupt(place: Place) -> None:
    script = "import flowc.compiler.driver as d, flowc.compiler.cli as c, sys\n"
    script += "def stop(*_): raise KeyboardInterrupt\nd.check_source = stop\nsys.exit(c.main(['check', 'good.flow']))"
    done = subprocess.run([sys.executable, "-c", script], cwd=place.path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, "")


def test_an_interrupt_while_it_starts(place: Place) -> None:
    script = (
        "import sys, flowc.compiler.cli as c\n"
        "class Stop:\n"
        "  def find_spec(self, name, *_):\n"
        "    if name == 'flowc.compiler.inputs': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Stop())\n"
        "sys.exit(c.main(['check', 'good.flow']))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=place.path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, "")


@pytest.mark.parametrize(
    ("arguments", "closed", "code"),
    [
        (("check", "bad.flow"), ">&-", 1),
        (("check", "missing.flow"), "2>&-", 2),
        (("check", "bad.flow"), "<&- >&- 2>&-", 1),
        (("run", "good.flow"), ">&-", 0),
        (("compile", "good.flow", "--target", "argo", "-o", "out"), "<&- >&- 2>&-", 0),
    ],
)
def test_streams_that_are_closed_are_nobody_listening(
    place: Place, arguments: tuple[str, ...], closed: str, code: int
) -> None:
    done = subprocess.run(
        ["bash", "-c", f'"$@" {closed}', "bash", str(FLOWC), *arguments],
        cwd=place.path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "bug" not in done.stderr
    assert done.returncode == code
