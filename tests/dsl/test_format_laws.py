"""What holds for the layout of every program: formatting twice is formatting once, and nothing but blanks changes."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowc.dsl import literals
from flowc.dsl.diagnostics import has_errors
from flowc.dsl.format import WIDTH, format_source
from flowc.dsl.parse import parse
from flowc.dsl.spans import Source
from tests.fuzz.front_end import programs
from tests.fuzz.laws import bare
from tests.fuzz.programs import Tokens, program, written

SAMPLES = Path(__file__).parents[1] / "samples"

# Not the compiler's own lexer.
TOKEN = re.compile(
    r"""(?P<raw>'''[\s\S]*?''''*)|(?P<string>"(?:\\.|[^"\\\n])*")|(?P<comment>\#[^\n]*)
        |[A-Za-z_]\w*|-?\d[\w.]*|==|!=|<=|>=|\S""",
    re.VERBOSE,
)

thorough = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
randoms = st.integers(0, 2**32).map(random.Random)


def formatted(text: str) -> str:
    result, diagnostics = format_source(Source("a.flow", text))
    assert result is not None, diagnostics
    return result


def meant(tokens: Tokens) -> Tokens:
    """Without the commas that mean nothing, scripts by their value."""
    scripts = [f"'''{literals.script(token)}" if token.startswith("'''") else token for token in tokens]
    pairs = zip(scripts, [*scripts[1:], ""], strict=True)
    return [token for token, following in pairs if token != "," or following not in ("]", "}")]


def taken_apart(text: str) -> tuple[Tokens, Tokens]:
    """Tokens and comments."""
    found = list(TOKEN.finditer(text))
    assert not re.sub(r"\s", "", TOKEN.sub("", text))
    tokens = [match[0] for match in found if not match["comment"]]
    return tokens, [match[0] for match in found if match["comment"]]


def said(text: str) -> tuple[Any, list[tuple[str, str]]]:
    file, diagnostics = parse(Source("a.flow", text))
    return bare(file), [(item.code, item.message) for item in diagnostics]


def without_scripts(text: str) -> str:
    return TOKEN.sub(lambda match: "'''" if match["raw"] else match[0], text)


@thorough
@given(randoms)
def test_every_program_of_the_grammar(rng: random.Random) -> None:
    tokens = program(rng)
    before = written(tokens, rng)
    after = formatted(before.text)
    assert formatted(after) == after
    found, comments = taken_apart(after)
    assert meant(found) == meant(tokens)
    assert tuple(comments) == before.comments
    assert said(after) == said(before.text)


@thorough
@given(randoms)
def test_the_page_is_tidy(rng: random.Random) -> None:
    after = formatted(written(program(rng), rng).text)
    outside = without_scripts(after)
    assert not re.search(r"[ \t]\n|\t|\n\n\n|[{\[(]\n\n|\n\n *[}\])]|\A\n|\n\n\Z", outside)
    assert after.endswith("\n")
    for line in outside.split("\n"):
        # What cannot be broken: a comment, a string, a condition.
        if len(line) > WIDTH and "#" not in line and "'''" not in line:
            assert not re.search(r"= \[.*\]$|run \[", line), line


@thorough
@given(randoms)
def test_how_blanks_were_written_does_not_matter(rng: random.Random) -> None:
    """One form, but for empty lines, comments and blocks written on one line."""
    tokens = program(rng)
    lines = ["\n".join(tokens)]
    lines.append("\r\n\t ".join(tokens))
    assert formatted(lines[0]) == formatted(lines[1])


@pytest.mark.parametrize("seed", range(4))
def test_broken_programs_are_left_alone(seed: int) -> None:
    for _, text in zip(range(60), programs(seed), strict=False):
        after, diagnostics = format_source(Source("a.flow", text))
        if after is None:
            assert has_errors(diagnostics), text
        else:
            assert not diagnostics
            assert formatted(after) == after
            assert said(after) == said(text)


@pytest.mark.parametrize("path", sorted(SAMPLES.rglob("*.flow")), ids=lambda path: str(path.relative_to(SAMPLES)))
def test_the_samples_mean_the_same_when_formatted(path: Path) -> None:
    text = path.read_text()
    after, diagnostics = format_source(Source("a.flow", text))
    if after is None:
        assert has_errors(diagnostics)
    else:
        assert formatted(after) == after
        assert said(after) == said(text)


def test_ten_thousand_steps_take_a_few_seconds() -> None:
    step = '## doc\nstep s{} {{ in a out b: int\n\n cpu=1 run ["echo",\n "x" ] # c\n}}\n'

    def seconds(count: int) -> float:
        text = "flow big { param a: int\n" + "".join(step.format(number) for number in range(count)) + "}"
        start = time.process_time()
        formatted(text)
        return time.process_time() - start

    seconds(10)
    small, large = seconds(1000), seconds(10_000)
    assert large < 15
    assert large < 25 * small
