"""`flowc check --fix`: what is certain is put right and nothing else is touched."""

from __future__ import annotations

import random
import re
import stat
import subprocess
import sys
from itertools import islice, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowc.compiler import fixes
from flowc.compiler.driver import check_source
from flowc.compiler.inputs import Refused
from flowc.dsl.diagnostics import Diagnostic, Edit, Fix
from flowc.dsl.spans import Source, Span
from tests.fuzz.front_end import programs
from tests.privileges import under_file_modes

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "samples"
FLOWS = sorted([*(ROOT / "examples").rglob("*.flow"), *(SAMPLES / "good").rglob("*.flow")])
FLOWC = Path(sys.executable).parent / "flowc"


def check(source: Source) -> tuple[Diagnostic, ...]:
    return check_source(source, Path("/nowhere")).diagnostics


def errors(diagnostics: tuple[Diagnostic, ...]) -> list[str]:
    return [item.code for item in diagnostics if item.severity == "error"]


# --- which fixes are certain ------------------------------------------------------------------------------------------

PROGRAM = """flow f {
  param p: string = "v"
  param n: int = 3

  step a {
    in p
    in n
    out o: file
    memory = 16GiB
    timeout = 90m
    gpu = 1
    image = "acme/a:1"
    run bash ''' $in_p $in_n $out_o '''
  }

  step b {
    in o = a.o
    after a
    run ["echo", o]
  }
}
"""

CERTAIN = [
    ("16GiB", "16Gi"),
    ("16GiB", "16gib"),
    ("16GiB", '"16GiB"'),
    ("90m", "90min"),
    ("90m", "90minutes"),
    ("90m", "1h30m"),
    ("90m", "1.5h"),
    ("gpu = 1", "gpu = 1.0"),
    ("gpu = 1", 'gpu = "1"'),
    ("gpu = 1\n", "gpu = 1;\n"),
    ('"acme/a:1"', "'acme/a:1'"),
    ('"acme/a:1"', "“acme/a:1”"),
    ("n: int = 3", "n: integer = 3"),
    ("string", "str"),
    ("bash", "sh"),
    ("after", "depends_on"),
    ("    out o", "    outputs o"),
    ("step b", "task b"),
]
GUESSES = [
    ("16GiB", "16GB"),  # to some that is 16,000,000,000 bytes
    ("16GiB", "16G"),
    ("16GiB", "16"),
    ("90m", "90"),
    ("90m", "90M"),
    ('"acme/a:1"', "`acme/a:1`"),
    ('"acme/a:1"', "'acme/a:${x}'"),
    ("n: int = 3", "n: int = 010"),
    ("n: int = 3", 'n: int = "3"'),
    ("n: int = 3", "n: int = 3\n// said otherwise"),
    ("n: int", "n: itn"),
    ("o: file", "o: path"),
    ("memory", "memry"),
    ("timeout", "deadline"),
    ("a.o", "aa.o"),
    ("bash", "zsh"),
    ("step b", "stp b"),
]


@pytest.mark.parametrize(("right", "wrong"), CERTAIN)
def test_what_is_certain_becomes_what_it_was(right: str, wrong: str) -> None:
    assert PROGRAM.count(right) == 1
    fixed = fixes.fix(Source("x.flow", PROGRAM.replace(right, wrong)), check)
    assert fixed.after.text == PROGRAM
    assert (fixed.applied, fixed.diagnostics, fixed.stopped) == (1, (), False)


@pytest.mark.parametrize(("right", "wrong"), GUESSES)
def test_what_is_a_guess_is_left_alone(right: str, wrong: str) -> None:
    assert PROGRAM.count(right) == 1
    source = Source("x.flow", PROGRAM.replace(right, wrong))
    fixed = fixes.fix(source, check)
    assert (fixed.after, fixed.applied) == (source, 0)
    assert errors(fixed.diagnostics)


# --- laws -------------------------------------------------------------------------------------------------------------

CORRUPTIONS = [("GiB", "Gi"), ("MiB", "mib"), ("string", "str"), ("bash", "sh"), ("int", "integer")]


SEEDS = range(20)


def spoilt(seed: int) -> tuple[str, str]:
    """A good program, and the same with several words spoilt; some have the line ends of Windows."""
    rng = random.Random(seed)
    text = rng.choice([PROGRAM, *(path.read_text() for path in FLOWS)])
    if rng.random() < 0.5:
        text = text.replace("\n", "\r\n")
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if '"' in line or line.lstrip().startswith("#"):
            continue  # part of a string or a comment
        words = line.split(" ")
        for right, wrong in CORRUPTIONS:
            if rng.random() < 0.6:
                form = re.compile(rf"(\d+|list\[)?{right}(\]?\r?)")
                words = [form.sub(rf"\g<1>{wrong}\2", word) if form.fullmatch(word) else word for word in words]
        lines[number] = " ".join(words)
    return text, "\n".join(lines)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_spoilt_program_becomes_itself_again(seed: int) -> None:
    text, wrong = spoilt(seed)
    fixed = fixes.fix(Source("x.flow", wrong), check)
    assert fixed.after.text == text
    assert (fixed.applied > 0) == (wrong != text)


def test_spoiling_does_spoil() -> None:
    assert sum(text != wrong for text, wrong in map(spoilt, SEEDS)) > len(SEEDS) / 2


@pytest.mark.parametrize("seed", range(4))
def test_fixing_makes_nothing_worse_and_comes_to_an_end(seed: int) -> None:
    for text in islice(programs(1000 + seed), 40):
        source = Source("x.flow", text.replace("GiB", "Gi"))
        before = check(source)
        fixed = fixes.fix(source, check)
        assert not fixes.is_worse(before, fixed.diagnostics)
        assert fixed.diagnostics == check(fixed.after)
        again = fixes.fix(fixed.after, check)
        assert again.applied == 0


SPANS = st.tuples(st.integers(0, 30), st.integers(0, 6)).map(lambda pair: Span(pair[0], pair[0] + pair[1]))
FIXES = st.lists(st.lists(st.builds(Edit, SPANS, st.text(max_size=3)), min_size=1, max_size=3).map(tuple), max_size=8)


@given(text=st.text(min_size=40, max_size=40), wanted=FIXES)
def test_text_between_the_edits_is_untouched(text: str, wanted: list[tuple[Edit, ...]]) -> None:
    own = [Fix("x", edits) for edits in wanted if not overlap(edits)]
    chosen = fixes.compatible(own)
    assert bool(chosen) == bool(own)
    edits = sorted((edit for fix in chosen for edit in fix.edits), key=lambda edit: edit.span)
    assert not overlap(tuple(edits))
    fixed = fixes.apply(text, edits)
    rest, end = fixed, 0
    for edit in edits:
        kept = text[end : edit.span.start]
        assert rest.startswith(kept + edit.text)
        rest, end = rest[len(kept) + len(edit.text) :], edit.span.end
    assert rest == text[end:]


def overlap(edits: tuple[Edit, ...]) -> bool:
    ordered = sorted(edits, key=lambda edit: edit.span)
    return any(first.span.end > second.span.start for first, second in pairwise(ordered))


def wrong(code: str, *edits: Edit) -> Diagnostic:
    return Diagnostic(code, "error", "m", Span(0, 1), fix=Fix("x", edits, certain=True) if edits else None)


def test_a_round_that_makes_it_worse_is_undone() -> None:
    source = Source("x.flow", "a b")
    replies = {"a b": (wrong("F0201", Edit(Span(0, 1), "c")),), "c b": (wrong("F0201"), wrong("F0202"))}
    fixed = fixes.fix(source, lambda source: replies[source.text])
    assert fixed == fixes.Fixed(source, source, 0, replies["a b"], stopped=True)
    assert "further fixes were left out" in fixes.told(fixed, dry=False)[0]


def test_what_comes_to_light_behind_the_syntax_is_no_fault_of_the_fix() -> None:
    replies = {"a b": (wrong("F0107", Edit(Span(0, 1), "c")),), "c b": (wrong("F0201"), wrong("F0202"))}
    fixed = fixes.fix(Source("x.flow", "a b"), lambda source: replies[source.text])
    assert (fixed.after.text, fixed.applied, fixed.stopped) == ("c b", 1, False)


@pytest.mark.parametrize(("text", "after"), [("a && b", "a and b"), ("a&&b", "a&&b"), ("(a)&&(b)", "(a)and(b)")])
def test_words_are_not_glued_together(text: str, after: str) -> None:
    at = text.index("&&")
    item = wrong("F0123", Edit(Span(at, at + 2), "and"))
    fixed = fixes.fix(Source("x.flow", text), lambda source: (item,) if "&&" in source.text else ())
    assert fixed.after.text == after


def test_fixes_that_undo_each_other_come_to_an_end() -> None:
    replies = {"a": (wrong("F0101", Edit(Span(0, 1), "b")),), "b": (wrong("F0101", Edit(Span(0, 1), "a")),)}
    assert fixes.fix(Source("x.flow", "a"), lambda source: replies[source.text]).applied == fixes.MOST_ROUNDS


# --- the command ------------------------------------------------------------------------------------------------------

SPOILT = PROGRAM.replace("16GiB", "16Gi").replace('"acme/a:1"', "'acme/a:1'")


def flowc(*arguments: str, folder: Path, code: int = 0) -> tuple[str, str]:
    command = under_file_modes([str(FLOWC), *arguments])
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == code, out + err
    return out, err


def test_a_file_is_put_right(tmp_path: Path) -> None:
    path = tmp_path / "x.flow"
    path.write_bytes(SPOILT.encode())
    path.chmod(0o640)
    assert flowc("check", "--fix", "x.flow", folder=tmp_path) == ("", "fixed 2 mistakes in x.flow\n")
    assert path.read_bytes() == PROGRAM.encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_marks_and_line_ends_stay(tmp_path: Path, mark: bytes, end: str) -> None:
    path = tmp_path / "x.flow"
    path.write_bytes(mark + SPOILT.replace("\n", end).encode())
    flowc("check", "--fix", "x.flow", folder=tmp_path)
    assert path.read_bytes() == mark + PROGRAM.replace("\n", end).encode()


def test_what_remains_is_shown_and_counts(tmp_path: Path) -> None:
    (tmp_path / "x.flow").write_bytes(SPOILT.replace("a.o", "aa.o").encode())
    (tmp_path / "good.flow").write_bytes(PROGRAM.encode())
    out, err = flowc("check", "--fix", "good.flow", "x.flow", folder=tmp_path, code=1)
    assert err == "fixed 2 mistakes in x.flow\n"
    assert "error[F0202]" in out
    assert "F0111" not in out
    assert out.endswith("1 error\nmore: flowc explain F0202\n")


def test_where_nothing_is_certain_the_file_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "x.flow"
    path.write_bytes(PROGRAM.replace("a.o", "aa.o").encode())
    before = path.stat()
    assert flowc("check", "--fix", "x.flow", folder=tmp_path, code=1)[1] == ""
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_dry_run_is_a_patch(tmp_path: Path) -> None:
    path = tmp_path / "x.flow"
    path.write_bytes(SPOILT.replace("a.o", "aa.o").encode())
    out, err = flowc("check", "--fix", "--diff", "x.flow", folder=tmp_path, code=1)
    assert path.read_bytes() == SPOILT.replace("a.o", "aa.o").encode()
    assert err.startswith("would fix 2 mistakes in x.flow\nerror[F0202]")
    subprocess.run(["patch", "--binary", "x.flow"], cwd=tmp_path, input=out.encode(), check=True, capture_output=True)
    assert path.read_bytes() == PROGRAM.replace("a.o", "aa.o").encode()


def test_diff_needs_fix(tmp_path: Path) -> None:
    assert "--diff goes with --fix" in flowc("check", "--diff", "x.flow", folder=tmp_path, code=2)[1]


@pytest.mark.parametrize(("content", "mode"), [(SPOILT.encode() + b"# caf\xe9\n", 0o644), (SPOILT.encode(), 0o444)])
def test_what_cannot_be_written_is_left_and_the_rest_is_done(tmp_path: Path, content: bytes, mode: int) -> None:
    bad, good = tmp_path / "a.flow", tmp_path / "b.flow"
    bad.write_bytes(content)
    bad.chmod(mode)
    good.write_bytes(SPOILT.encode())
    _, err = flowc("check", "--fix", "a.flow", "b.flow", folder=tmp_path, code=2)
    assert "flowc: error: a.flow is" in err
    assert bad.read_bytes() == content
    assert good.read_bytes() == PROGRAM.encode()


def test_a_file_that_somebody_else_changes_is_left_to_them(tmp_path: Path) -> None:
    path = tmp_path / "x.flow"
    path.write_bytes(SPOILT.encode())

    def change(source: Source) -> tuple[Diagnostic, ...]:
        path.write_bytes(b"# theirs\n")
        return check(source)

    with pytest.raises(Refused, match="was changed while it was being fixed"):
        fixes.fix_file(str(path), change, dry=False)
    assert path.read_bytes() == b"# theirs\n"
