"""Whether a program's plan does what the program says: `examine` runs the plan and compares with the syntax tree."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from flowc.compiler.driver import check_source
from flowc.compiler.lower import lower
from flowc.dsl.parse import parse
from flowc.dsl.spans import Source
from flowc.runtime.plan import dump, load
from tests.meaning.plan_run import TooLongError, run
from tests.meaning.record import Violation
from tests.meaning.tree_meaning import compare


class WrongMeaningError(AssertionError):
    """A plan that does something else than its program says; the message holds both the fault and the program."""


def shorter(text: str) -> str:
    """With at most four turns where it says ten or more; what happens in the fifth has happened before."""
    return re.sub(r"(repeat\s+max\s+)\d{2,}", r"\g<1>4", text)


def examine(text: str, base_dir: Path, seeds: Iterable[int]) -> int:
    """One run per seed, and one more that a failure may stop; gives how many inputs were compared."""
    source = Source("x.flow", text)
    checked, (file, _) = check_source(source, base_dir), parse(source)
    if checked.model is None or file is None:
        raise WrongMeaningError(f"refused: {[(item.code, item.message) for item in checked.diagnostics]}\n{text}")
    plan = load(dump(lower(checked.model)))
    compared = 0
    for seed in seeds:
        try:
            # What a stopped run leaves out is nobody's to say: it only must not come to a violation of its own.
            run(plan, seed, stops=True)
            compared += compare(file.flow, run(plan, seed))
        except TooLongError:
            continue
        except Violation as violation:
            raise WrongMeaningError(f"run {seed}: {violation}\n{text}") from violation
    return compared


def examine_in_folder(text: str, files: Mapping[str, str], seeds: Iterable[int]) -> int:
    """As `examine`, in a folder of its own that holds these files."""
    with TemporaryDirectory() as folder:
        for path, content in files.items():
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).write_text(content)
        return examine(text, Path(folder), seeds)
