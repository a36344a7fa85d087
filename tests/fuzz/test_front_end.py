"""A short seeded run of the fuzzer; `python -m tests.fuzz.front_end` runs for longer and with other seeds."""

from __future__ import annotations

from itertools import islice

import pytest

from tests.fuzz.front_end import ROOT, examine, programs


@pytest.mark.parametrize("seed", range(8))
def test_the_compiler_answers_every_program(seed: int) -> None:
    for text in islice(programs(seed), 40):
        examine(text, ROOT / "examples" / "digits_torch")


# What the fuzzer found, reduced; each once broke the promise.
@pytest.mark.parametrize(
    "text",
    [
        "flow{torchrun[[{",  # closing what is open never came to an end
        "flow a {\n step b {\n  run []\n template {\n in x\n}}",  # skipping to a reserved word led back to it
    ],
)
def test_what_was_found_stays_found(text: str) -> None:
    examine(text, ROOT / "examples" / "digits_torch")
