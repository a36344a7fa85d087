"""Commands that look like something else: a command line in one word, a launcher in a gang, a shell's variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowc.compiler.driver import check_source
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Source


def said(command: str, head: str = "", folder: Path = Path("/nowhere")) -> tuple[list[Diagnostic], str]:
    text = f"flow f {{\n  param n: int = 1\n  step a {head} {{\n    in n\n    out o: int\n    {command}\n  }}\n}}\n"
    return list(check_source(Source("t.flow", text), folder).diagnostics), text


def fixed(found: Diagnostic, text: str) -> str | None:
    """The command with the fix, which is certain."""
    if found.fix is None:
        return None
    assert found.fix.certain
    ((edit),) = found.fix.edits
    return (text[: edit.span.start] + edit.text + text[edit.span.end :]).split("\n")[5].strip()


@pytest.mark.parametrize(
    ("command", "code", "help_", "right"),
    [
        (
            'run ["python train.py", n, out.o]',
            "F0268",
            'a command is a list of words: run ["python", "train.py"]',
            'run ["python", "train.py", n, out.o]',
        ),
        ('run ["fit | tee log", n, out.o]', "F0268", "what a shell reads stands in `run bash`", None),
        ('run ["fit", "$in_n", out.o]', "F0270", "write `n`, without quotes", 'run ["fit", n, out.o]'),
        ('run ["fit", n, "$out_o"]', "F0270", "write `out.o`, without quotes", 'run ["fit", n, out.o]'),
        ('run ["fit", "--n=$in_n", out.o]', "F0270", "write `${n}`", None),
        ('run ["fit", "--n=${run.id}/$in_n", out.o]', "F0270", "write `${n}`", None),
        ('run ["fit", "\\\\${in_n}", out.o]', "F0270", "write `n`, without quotes", 'run ["fit", n, out.o]'),
        # A program in Python may look for its inputs itself, but not for these.
        (
            'run ["python", "-m", "fit", "$in_n"]',
            "F0270",
            "write `n`, without quotes",
            'run ["python", "-m", "fit", n]',
        ),
    ],
)
def test_a_command_that_is_none(command: str, code: str, help_: str, right: str | None) -> None:
    (found,), text = said(command.replace("\\\\", "\\"))
    assert (found.code, found.severity, found.help) == (code, "warning", (help_,))
    assert fixed(found, text) == right


@pytest.mark.parametrize(
    "command",
    [
        'run ["fit", n, out.o]',
        'run ["fit it", n, out.o]',  # the file is there
        'run ["/opt/my tools/fit", n, out.o]',
        'run ["fit", "a b", n, out.o]',
        'run ["fit", "$in_m", n, out.o]',
        'run ["fit", "$n", n, out.o]',
        'run ["bash", "-ec", "fit $in_n", n, out.o]',
    ],
)
def test_a_command_that_is_one(command: str, tmp_path: Path) -> None:
    (tmp_path / "fit it").touch()
    assert said(command, folder=tmp_path)[0] == []


@pytest.mark.parametrize(
    ("command", "block"),
    [
        ('run ["torchrun", "train.py", n]', "torchrun"),
        ('run ["/usr/bin/torchrun", "train.py", n]', "torchrun"),
        ('run ["python", "-m", "torch.distributed.run", "train.py", n]', "torchrun"),
        ('run ["deepspeed", "train.py", n]', "deepspeed"),
        ('run ["mpirun", "./fit", n]', "mpi"),
        ('run ["mpiexec", "./fit", n]', "mpi"),
        ('run ["horovodrun", "python", "-m", "train", n]', "mpi"),
    ],
)
def test_a_launcher_in_a_gang(command: str, block: str) -> None:
    (found,), _ = said(command, "parallel(2)")
    assert (found.code, found.fix) == ("F0269", None)
    assert found.help[0].startswith(f"add `{block} {{}}` to the step")
    # One node can be started as one likes.
    assert "F0269" not in {item.code for item in said(command)[0]}


def test_a_block_of_its_own_needs_no_word() -> None:
    assert said('mpi {}\n    run ["./mpirun_report", n]', "parallel(2)")[0] == []
