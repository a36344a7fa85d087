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

from flowc.compiler.driver import compile_source
from flowc.dsl.parse import parse
from flowc.dsl.spans import Source
from tests.fuzz.mutations import mutate

ROOT = Path(__file__).parents[2]

# No program of this size needs this long; something quadratic, or worse, does.
SECONDS_PER_PROGRAM = 5.0


class WrongAnswerError(AssertionError):
    """A program that the compiler answers wrongly; the message holds it."""


def programs(seed: int) -> Iterator[str]:
    """Endless mutants of the valid programs in this checkout."""
    rng = random.Random(seed)
    originals = [file.read_text() for file in sorted((ROOT / "examples").rglob("*.flow"))]
    while True:
        yield mutate(rng.choice(originals), rng)


def examine(text: str, base_dir: Path) -> None:
    """Parse and compile one program; `WrongAnswerError` if the compiler breaks its promise."""
    source = Source("fuzz.flow", text)
    start = time.process_time()
    try:
        file, diagnostics = parse(source)
        if file is None and not any(diagnostic.severity == "error" for diagnostic in diagnostics):
            raise WrongAnswerError("no syntax tree and no error")
        for target in ("argo", "sfn"):
            compiled = compile_source(source, base_dir, target, store="s3://bucket/prefix")
            diagnostics = (*diagnostics, *compiled.diagnostics)
            failed = any(diagnostic.severity == "error" for diagnostic in compiled.diagnostics)
            if failed == bool(compiled.files):
                raise WrongAnswerError(f"errors: {failed}, files: {len(compiled.files)}")
        for diagnostic in diagnostics:
            span = diagnostic.span
            if span is not None and not 0 <= span.start <= span.end <= len(text):
                raise WrongAnswerError(f"{diagnostic.code} points outside the text: {span}")
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        fault = f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"
        raise WrongAnswerError(f"{fault}\n--- seen with:\n{text!r}") from error
    if (seconds := time.process_time() - start) > SECONDS_PER_PROGRAM:
        raise WrongAnswerError(f"took {seconds:.1f} s\n--- seen with:\n{text!r}")


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
