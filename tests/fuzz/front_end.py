"""Whatever the text, the compiler answers with diagnostics: it never raises, hangs or points outside the text.

    python -m tests.fuzz.front_end [SECONDS] [SEED]

runs until the time is over or a program breaks the rule, and prints that program.
"""

from __future__ import annotations

import random
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from flowc.compiler.driver import check_source, compile_source
from flowc.compiler.lower import lower
from flowc.compiler.render.text import render
from flowc.dsl.diagnostics import has_errors
from flowc.dsl.format import format_source
from flowc.dsl.parse import parse
from flowc.dsl.spans import Source
from flowc.runtime.plan import dump, load
from tests.fuzz.flows import flow
from tests.fuzz.mutations import mutate

ROOT = Path(__file__).parents[2]

# No program of this size needs this long; something quadratic, or worse, does.
SECONDS_PER_PROGRAM = 5.0


class WrongAnswerError(AssertionError):
    """A program that the compiler answers wrongly; the message holds it."""


def originals() -> list[str]:
    """The programs in this checkout: examples and samples, good and bad."""
    files = (file for place in ("examples", "tests/samples") for file in sorted((ROOT / place).rglob("*.flow")))
    return [file.read_text(errors="replace") for file in files]


def programs(seed: int) -> Iterator[str]:
    """Endless mutants of the programs in this checkout and of generated ones."""
    rng = random.Random(seed)
    known = originals()
    while True:
        text = rng.choice(known) if rng.random() < 0.5 else flow(rng, steps=rng.randint(1, 6)).text()
        yield mutate(text, rng)


def examine(text: str, base_dir: Path) -> None:
    """Parse, check, format and compile one program; `WrongAnswerError` if the compiler breaks its promise."""
    start = time.process_time()
    try:
        _examine(Source("fuzz.flow", text), base_dir)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        fault = f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"
        raise WrongAnswerError(f"{fault}\n--- seen with:\n{text!r}") from error
    if (seconds := time.process_time() - start) > SECONDS_PER_PROGRAM:
        raise WrongAnswerError(f"took {seconds:.1f} s\n--- seen with:\n{text!r}")


def _examine(source: Source, base_dir: Path) -> None:
    file, diagnostics = parse(source)
    if file is None and not has_errors(diagnostics):
        raise WrongAnswerError("no syntax tree and no error")
    checked = check_source(source, base_dir)
    if (checked.model is None) != has_errors(checked.diagnostics):
        raise WrongAnswerError(f"a model: {checked.model is not None}, and {len(checked.diagnostics)} diagnostics")
    diagnostics = (*diagnostics, *checked.diagnostics)
    if checked.model is not None:
        plan = lower(checked.model)
        if load(dump(plan)) != plan:
            raise WrongAnswerError("the plan is another one when it is read again")
        for target in ("argo", "sfn"):
            compiled = compile_source(source, base_dir, target, store="s3://bucket/prefix")
            diagnostics = (*diagnostics, *compiled.diagnostics)
            if has_errors(compiled.diagnostics) == bool(compiled.files):
                raise WrongAnswerError(
                    f"{target}: {len(compiled.files)} files with {len(compiled.diagnostics)} diagnostics"
                )
    laid_out, found = format_source(source)
    diagnostics = (*diagnostics, *found)
    if laid_out is not None and format_source(Source("fuzz.flow", laid_out))[0] != laid_out:
        raise WrongAnswerError("formatted twice it looks different")
    for diagnostic in diagnostics:
        for span in (diagnostic.span, *(label.span for label in diagnostic.related)):
            if span is not None and not 0 <= span.start <= span.end <= len(source.text):
                raise WrongAnswerError(f"{diagnostic.code} points outside the text: {span}")
    render(diagnostics, source)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(2**32)
    sys.stdout.write(f"seed {seed}\n")
    end = time.monotonic() + seconds
    count = 0
    for text in programs(seed):
        try:
            examine(text, ROOT / "examples" / "digits_torch")
        except WrongAnswerError as wrong:
            raise SystemExit(str(wrong)) from None  # the way there may be a thousand frames long
        count += 1
        if time.monotonic() > end:
            break
    sys.stdout.write(f"{count} programs\n")


if __name__ == "__main__":
    main()
