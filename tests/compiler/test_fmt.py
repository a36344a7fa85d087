"""`flowc fmt` as a user meets it: a process of its own, files before and after, exit codes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.privileges import under_file_modes

TIDY = 'flow f {\n  step s { run ["echo"] }\n}\n'
UNTIDY = 'flow f {\r\n\nstep s {run ["echo",]}}'
BROKEN = "flow f { step s {"

FLOWC = "import sys; from flowc.compiler.cli import main; sys.exit(main())"


def flowc(*arguments: str, folder: Path, stdin: str | bytes = b"", code: int = 0) -> tuple[str, str]:
    data = stdin.encode() if isinstance(stdin, str) else stdin
    command = under_file_modes([sys.executable, "-c", FLOWC, *arguments])
    done = subprocess.run(command, cwd=folder, input=data, capture_output=True, timeout=60, check=False)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == code, out + err
    return out, err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tidy.flow").write_bytes(TIDY.encode())
    (tmp_path / "untidy.flow").write_bytes(UNTIDY.encode())
    (tmp_path / "broken.flow").write_bytes(BROKEN.encode())
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_are_written_in_place(folder: Path) -> None:
    place = folder / "untidy.flow"
    place.chmod(0o640)
    assert flowc("fmt", "tidy.flow", "untidy.flow", folder=folder) == ("", "formatted untidy.flow\n")
    assert place.read_bytes() == TIDY.encode()
    assert stat.S_IMODE(place.stat().st_mode) == 0o640
    assert sorted(contents(folder)) == ["broken.flow", "tidy.flow", "untidy.flow"]


def test_nothing_is_said_or_touched_where_nothing_changes(folder: Path) -> None:
    before = (folder / "tidy.flow").stat()
    assert flowc("fmt", "tidy.flow", folder=folder) == ("", "")
    after = (folder / "tidy.flow").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_check_names_what_would_change(folder: Path) -> None:
    before = contents(folder)
    assert flowc("fmt", "--check", "tidy.flow", folder=folder) == ("", "")
    assert flowc("fmt", "--check", "tidy.flow", "untidy.flow", folder=folder, code=1) == ("untidy.flow\n", "")
    assert flowc("fmt", "--check", "-", folder=folder, stdin=UNTIDY, code=1) == ("<stdin>\n", "")
    assert contents(folder) == before


def test_diff_shows_what_would_change(folder: Path) -> None:
    before = contents(folder)
    out, err = flowc("fmt", "--diff", "tidy.flow", "untidy.flow", folder=folder)
    assert out == (
        "--- untidy.flow\n+++ untidy.flow (formatted)\n@@ -1,3 +1,3 @@\n"
        '-flow f {\r\n-\n-step s {run ["echo",]}}\n\\ No newline at end of file\n'
        '+flow f {\n+  step s { run ["echo"] }\n+}\n'
    )
    assert err == ""
    assert flowc("fmt", "--diff", "--check", "untidy.flow", folder=folder, code=1) == (out, "")
    assert contents(folder) == before


def test_the_diff_is_a_patch(folder: Path) -> None:
    out, _ = flowc("fmt", "--diff", "untidy.flow", folder=folder)
    subprocess.run(
        ["patch", "--binary", "untidy.flow"], cwd=folder, input=out.encode(), check=True, capture_output=True
    )
    assert (folder / "untidy.flow").read_bytes() == TIDY.encode()


def test_standard_input_goes_to_standard_output(folder: Path) -> None:
    assert flowc("fmt", "-", folder=folder, stdin=UNTIDY) == (TIDY, "")
    assert flowc("fmt", "-", folder=folder, stdin=TIDY) == (TIDY, "")


def test_the_terminals_encoding_does_not_matter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    text = TIDY.replace("echo", "écho → ✓")
    assert flowc("fmt", "-", folder=folder, stdin=text) == (text, "")


def test_a_broken_file_is_left_alone_and_the_others_are_not(folder: Path) -> None:
    out, err = flowc("fmt", "broken.flow", "untidy.flow", folder=folder, code=1)
    assert out == ""
    assert "error[F0102]" in err
    assert "--> broken.flow:1:17" in err
    assert err.endswith("formatted untidy.flow\nmore: flowc explain F0102\n")
    assert (folder / "broken.flow").read_bytes() == BROKEN.encode()
    assert (folder / "untidy.flow").read_bytes() == TIDY.encode()
    assert flowc("fmt", "-", folder=folder, stdin=BROKEN, code=1)[0] == ""


def test_what_this_version_does_not_build_is_formatted(folder: Path) -> None:
    text = "flow f {\n  foreach x in a.b max 3 {}\n}\n"
    assert flowc("fmt", "-", folder=folder, stdin=text) == (text, "")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tydy.flow", "there is no file tydy.flow\n  = help: did you mean tidy.flow?"),
        (".", ". is a folder"),
        ("latin.flow", "latin.flow is not UTF-8: the byte 0xe9 at offset 2 (line 1)"),
        ("wide.flow", "wide.flow is in UTF-16"),
    ],
)
def test_what_cannot_be_read_is_told_and_the_rest_is_done(folder: Path, name: str, message: str) -> None:
    (folder / "latin.flow").write_bytes(b"# \xe9\n")
    (folder / "wide.flow").write_bytes(TIDY.encode("utf-16"))
    out, err = flowc("fmt", name, "untidy.flow", folder=folder, code=2)
    assert out == ""
    assert f"flowc: error: {message}" in err
    assert (folder / "untidy.flow").read_bytes() == TIDY.encode()


def test_standard_input_must_be_text_too(folder: Path) -> None:
    _, err = flowc("fmt", "-", folder=folder, stdin=b"\xff", code=2)
    assert "<stdin> is not UTF-8" in err


def test_a_link_stays_a_link(folder: Path) -> None:
    (folder / "link.flow").symlink_to("untidy.flow")
    flowc("fmt", "link.flow", folder=folder)
    assert (folder / "link.flow").is_symlink()
    assert (folder / "untidy.flow").read_bytes() == TIDY.encode()


def test_a_protected_file_is_not_replaced(folder: Path) -> None:
    (folder / "untidy.flow").chmod(0o444)
    _, err = flowc("fmt", "untidy.flow", folder=folder, code=2)
    assert "untidy.flow is write-protected" in err
    assert (folder / "untidy.flow").read_bytes() == UNTIDY.encode()


def test_a_pipe_is_not_replaced(folder: Path) -> None:
    read, write = os.pipe()
    with open(write, "wb") as file:  # noqa: PTH123 - a descriptor
        file.write(UNTIDY.encode())
    done = subprocess.run(
        [sys.executable, "-c", FLOWC, "fmt", f"/dev/fd/{read}"], pass_fds=[read], capture_output=True, check=False
    )
    os.close(read)
    assert done.returncode == 2
    assert b"cannot be written" in done.stderr


def test_usage(folder: Path) -> None:
    assert "FILE" in flowc("fmt", folder=folder, code=2)[1]
    out, _ = flowc("fmt", "--help", folder=folder)
    assert "--check" in out
    assert "--diff" in out
