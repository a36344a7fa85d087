"""YAML that every reader reads the same."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flowc.targets import yaml_text

from .hostile import HOSTILE

DATA = st.recursive(
    st.text() | st.integers() | st.booleans(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=20), inner),
    max_leaves=20,
)


@pytest.mark.parametrize("text", [text for text in HOSTILE if text[:1] != "x"])
def test_only_plain_words_stay_bare(text: str) -> None:
    assert yaml_text.dump([text]).startswith('- "')


@pytest.mark.parametrize("text", ["a", "prepare.Succeeded", "/dev/shm", "FLOWC_RUN", "train-llm"])
def test_words_stay_readable(text: str) -> None:
    assert yaml_text.dump([text]) == f"- {text}\n"


@given(DATA)
def test_round_trip(data: object) -> None:
    assert yaml.safe_load(yaml_text.dump(data)) == data


def test_strings_are_quoted_where_kubernetes_reads_something_else() -> None:
    words = ["y", "Y", "no", "off", "NULL", "nan", "inf", "1e-4", "08", "1.5", "true", "~", "0o17", "1:30"]
    assert all(line.startswith('- "') for line in yaml_text.dump(words).splitlines())


def test_nothing_is_folded_or_aliased() -> None:
    long = " ".join(["word"] * 500)
    shared = {"a": long}
    assert yaml_text.dump([shared, shared]).count("\n") == 2


def test_a_block_shows_json_as_it_is() -> None:
    text = '{"a":{{=toJson(x)}},"b":["c d"]}'
    dumped = yaml_text.dump({"manifest": yaml_text.Block(text)})
    assert dumped == f"manifest: |-\n  {text}\n"


def test_comments_stay_comments() -> None:
    assert yaml_text.comment(["a\nb: c"]) == "# a\\nb: c\n"


def test_other_users_of_pyyaml_are_left_alone() -> None:
    before = yaml.safe_dump(["1e-4", "y"])
    yaml_text.dump(["1e-4"])
    assert yaml.safe_dump(["1e-4", "y"]) == before


def test_the_python_emitter_writes_the_same() -> None:
    """Where PyYAML has no libyaml the text must not change."""
    program = (
        "import sys, yaml\n"
        "if sys.argv[1] == 'python': del yaml.CSafeDumper\n"
        "from flowc.targets import yaml_text\n"
        "from tests.targets.hostile import HOSTILE\n"
        "data = {'list': list(HOSTILE), 'nested': [{'a': [], 'b': {}, 'c': yaml_text.Block('{\"x\":1}')}]}\n"
        "sys.stdout.reconfigure(encoding='utf-8')\n"
        "sys.stdout.write(yaml_text.dump(data))\n"
    )
    texts = [
        subprocess.run([sys.executable, "-c", program, which], capture_output=True, check=True, text=True).stdout
        for which in ("c", "python")
    ]
    assert texts[0] == texts[1]
