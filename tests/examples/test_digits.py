"""The digits example as a user meets it: the `flowc` command in a process of its own, on a copy of the folder.

The fast part checks and compiles it. The slow part runs it, with a real torchrun gang of two nodes, as it is and broken
in the ways that users break things.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
FLOWC = Path(sys.executable).parent / "flowc"

# After a rank breaks: detection (5 s), collecting causes (1 s), TERM to KILL (2 s), and room on a busy machine.
SECONDS_TO_END = 12


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str
    at: float

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass(frozen=True)
class Example:
    """A copy of the example's folder."""

    folder: Path

    def flowc(self, *arguments: str) -> Finished:
        """Run `flowc` in the folder; fails if it hangs, leaves processes or files behind or shows its insides."""
        mark = uuid.uuid4().hex
        temporary = self.folder.parent / mark
        temporary.mkdir()
        done = subprocess.run(
            [str(FLOWC), *arguments],
            cwd=self.folder,
            env=os.environ | {"DIGITS_TEST": mark, "TMPDIR": str(temporary)},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        finished = Finished(done.returncode, done.stdout, done.stderr, time.time())
        assert left_over(mark, self.folder) == []
        # PyTorch keeps an (empty) cache of compiled code for each user.
        assert [path.name for path in temporary.iterdir() if not path.name.startswith("torchinductor_")] == []
        for own in ("compiler", "dsl", "targets", "runtime"):
            assert f'File "{ROOT / own}' not in finished.text, finished.text
        return finished

    def replace(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))

    def break_train(self, rank: int, statement: str) -> None:
        """Let one rank of `train` run a statement once all have met; the file `broken` tells when it did."""
        touch = f"Path({str(self.folder / 'broken')!r}).touch()"
        begin = "    try:\n        model, loss"
        self.replace("train.py", begin, f"    if dist.get_rank() == {rank}: {touch}; {statement}\n{begin}")

    def seconds_since_broken(self, finished: Finished) -> float:
        return finished.at - (self.folder / "broken").stat().st_mtime


def left_over(mark: str, folder: Path) -> list[str]:
    """Command lines of processes that were started below the command under test and still run."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ", "cwd", "status"]):
        info = process.info
        ours = (info["environ"] or {}).get("DIGITS_TEST") == mark or str(folder) in (info["cwd"] or "")
        if ours and info["status"] != psutil.STATUS_ZOMBIE:
            found.append(" ".join(info["cmdline"] or ()))
    return found


@pytest.fixture
def example(tmp_path: Path) -> Example:
    folder = tmp_path / "digits"
    shutil.copytree(ROOT / "examples" / "digits_torch", folder, ignore=shutil.ignore_patterns("__pycache__", ".flowc"))
    return Example(folder)


def test_it_has_no_mistakes(example: Example) -> None:
    checked = example.flowc("check", "digits.flow")
    assert (checked.code, checked.out) == (0, "")


@pytest.mark.parametrize("target", ["argo", "sfn"])
def test_it_compiles_to_the_same_bytes_every_time(example: Example, target: str) -> None:
    outputs = []
    for name in ("first", "second"):
        folder = example.folder.parent / name
        arguments = ("--target", target, "--store", "s3://bucket/prefix", "--output", str(folder))
        compiled = example.flowc("compile", "digits.flow", *arguments)
        assert compiled.code == 0, compiled.text
        outputs.append({file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file()})
    assert outputs[0] == outputs[1]
    documents = b"".join(outputs[0].values())
    assert documents
    assert str(example.folder).encode() not in documents


def test_a_missing_function_is_found_before_anything_starts(example: Example) -> None:
    example.replace("prepare.py", "def prepare(", "def prepared(")
    failed = example.flowc("run", "digits.flow")
    assert failed.code == 1
    assert re.search(r"error\[F\d{4}\].*prepare", failed.err)
    assert re.search(r"digits\.flow:\d+:\d+", failed.err)
    assert not (example.folder / ".flowc").exists()


@pytest.mark.slow
def test_it_trains_on_two_nodes_and_scores_well(example: Example) -> None:
    done = example.flowc("run", "digits.flow")
    assert done.code == 0, done.text
    assert "epoch 12 of 12" in done.text
    reported = re.findall(r"^report.*\baccuracy +(\d\.\d+)", done.text, re.MULTILINE)
    assert [float(accuracy) > 0.9 for accuracy in reported] == [True], done.text
    # The flow's outputs are told at the end, without the example's own report.
    assert re.search(r"^ +evaluate\.accuracy +float +0\.9", done.text, re.MULTILINE), done.text
    assert re.search(r"^run [A-Za-z0-9._-]{8,} succeeded", done.text, re.MULTILINE)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_network(example: Example) -> None:
    texts = [example.flowc("run", "digits.flow", "--param", "epochs=2").text for _ in range(2)]
    losses = [re.findall(r"epoch \d of 2: loss (\S+)", text) for text in texts]
    assert len(losses[0]) == 2
    assert losses[0] == losses[1]


@pytest.mark.slow
def test_a_rank_that_raises_ends_the_run_and_is_named(example: Example) -> None:
    example.break_train(3, "raise RuntimeError('rank three gave up')")
    failed = example.flowc("run", "digits.flow")
    assert failed.code == 1
    assert example.seconds_since_broken(failed) < SECONDS_TO_END
    assert_names(failed, step="train", rank=3)
    assert "RuntimeError: rank three gave up" in failed.text


@pytest.mark.slow
def test_a_killed_rank_ends_the_run_and_is_named(example: Example) -> None:
    example.break_train(1, "print('about to go', flush=True); os.kill(os.getpid(), 9)")
    failed = example.flowc("run", "digits.flow")
    assert failed.code == 1
    assert example.seconds_since_broken(failed) < SECONDS_TO_END
    assert_names(failed, step="train", rank=1)
    assert "SIGKILL" in failed.text
    assert "about to go" in failed.text


@pytest.mark.slow
def test_a_function_that_raises_fails_its_step(example: Example) -> None:
    example.replace("evaluate.py", "    net = network()\n", "    raise ValueError('no opinion')\n")
    failed = example.flowc("run", "digits.flow", "--param", "epochs=1")
    assert failed.code == 1
    assert re.search(r"^step 'evaluate'.*exit code 1", failed.text, re.MULTILINE), failed.text
    assert "ValueError: no opinion" in failed.text
    assert "images  " not in failed.text  # `report` never ran


def assert_names(failed: Finished, *, step: str, rank: int) -> None:
    """One line says which step, node and rank failed, in words of its own."""
    assert re.search(rf"^step '{step}', node [01], rank {rank}: \w", failed.text, re.MULTILINE), failed.text
