"""The layout by example; what holds for every program is in test_format_laws.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowc.dsl.format import format_source
from flowc.dsl.spans import Source

ROOT = Path(__file__).parents[2]


def formatted(text: str) -> str:
    result, diagnostics = format_source(Source("a.flow", text))
    assert result is not None, diagnostics
    again, _ = format_source(Source("a.flow", result))
    assert again == result
    return result


def in_step(items: str) -> str:
    """The lines of a step with these items, without their indent."""
    lines = formatted(f"flow f {{\nstep s {{\n{items}\n}}\n}}\n").split("\n")
    assert lines[:2] == ["flow f {", "  step s {"]
    assert lines[-3:] == ["  }", "}", ""]
    return "\n".join(line[4:] for line in lines[2:-3])


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.flow")), ids=lambda path: str(path.name))
def test_the_examples_are_formatted(path: Path) -> None:
    text = path.read_text()
    assert formatted(text) == text


WHOLE = """\
edition 1

## Everything that the language has.
flow all {
  param epochs: int          = 3
  param names:  list[string] = ["a", "b"]
  param corpus: string

  schedule "30 2 * * 1-5" in "Europe/Paris"

  secret hub { argo = "hub/token"  sfn = "prod/hub:token" }

  timeout = 2h
  on argo { queue = "a" }

  defaults {
    image   = "acme/train:2.5"
    retries = 1
    env LEVEL = "info"
    env TOKEN = secret.hub
  }

  foreach name in names max 8 {
    step one {
      in  name
      out size: int
      call "one.py:one"
    }
  }

  step train parallel(epochs) {
    in  sizes = one[*].size  # the join
    in  epochs
    out each seconds: float
    after one, two
    main { gpu = 0 }
    ray {}
    run ["train.py", "--epochs", epochs, out.seconds, run.id, -3, 1e-5]
  }

  if train.loss < 2.0 and not (epochs == 3 or corpus != "x") {
    step good { run bash ''' echo "good" ''' }
  } else if train[*].ok {
    step fair { run ["echo"] }
  } else {
    step bad {
      in value = either(good[*].x, fair.x, 1)[*]
      run ["echo"]
    }
  }

  repeat max 3 {
    step again {
      in last = previous(again.loss, { a = 1, "b" = [2] })
      run ["echo"]
    }
  } until again.loss <= 0.5

  finally {
    step notify { run ["echo"] }
  }
}
"""


def test_every_construct() -> None:
    assert formatted(WHOLE) == WHOLE
    assert formatted(WHOLE.replace("  ", "\t")) == WHOLE


def test_a_file_of_windows_keeps_its_line_ends() -> None:
    windows = WHOLE.replace("\n", "\r\n")
    assert formatted(windows) == windows
    assert formatted(windows.replace("  ", "\t")) == windows
    # One line end of the other kind, and they are no rule.
    assert formatted(windows.replace("\r\n", "\n", 1)) == WHOLE
    assert formatted(windows + "\n") == WHOLE
    # Nor where a script holds a carriage return of its own.
    script = "flow f {\n  step s {\n    run bash '''\n      echo\r\n    '''\n  }\n}\n"
    assert "{\r\n" not in formatted(script.replace("\n", "\r\n"))


def test_everything_on_one_line() -> None:
    text = "flow f{param a:int=1 step s{in a out b:int cpu=1 memory=2GiB run[\"x\",a,]}step t{after s run['']}}"
    assert formatted(text.replace("''", '""')) == (
        "flow f {\n"
        "  param a: int = 1\n"
        '  step s { in a  out b: int  cpu = 1  memory = 2GiB  run ["x", a] }\n'
        '  step t { after s  run [""] }\n'
        "}\n"
    )


def test_one_item_per_line() -> None:
    assert in_step("cpu = 1   memory = 2GiB\nrun [\n]") == "cpu    = 1\nmemory = 2GiB\nrun []"


def test_a_short_block_stays_as_it_was_written() -> None:
    assert in_step("torchrun {procs_per_node=2 max_restarts=1}") == "torchrun { procs_per_node = 2  max_restarts = 1 }"
    assert in_step("torchrun {\nport=2\n}") == "torchrun {\n  port = 2\n}"
    assert in_step("ray {\n\n}") == "ray {}"
    assert in_step("ray { # c\n}") == "ray {  # c\n}"


def test_a_block_on_one_line_must_fit() -> None:
    text = f'on argo {{ queue = "{"x" * 74}" }}'
    assert len(f"    {text}") == 100
    assert in_step(text) == text
    longer = text.replace("xx", "xxx", 1)
    assert in_step(longer) == longer.replace("{ ", "{\n  ").replace(" }", "\n}")


def test_a_list_fits_or_has_one_element_per_line() -> None:
    fitting = f'run ["{"x" * 80}", "y"]'
    assert len(fitting) == 93
    assert in_step(fitting) == fitting
    filled = f'run ["{"x" * 83}", "y"]'
    assert in_step(filled) == filled
    assert in_step(filled.replace("y", "yy")) == f'run [\n  "{"x" * 83}",\n  "yy",\n]'
    assert in_step('run [\n"a",\n"b",\n]') == 'run ["a", "b"]'


def test_a_list_counts_what_follows_it() -> None:
    head = f'  foreach x in ["{"x" * 77}"]'
    assert len(head) == 96
    assert formatted(f"flow f {{\n{head} {{}}}}") == f"flow f {{\n{head} {{}}\n}}\n"
    assert f'[\n    "{"x" * 77}",\n  ] max 3 {{' in formatted(f"flow f {{\n{head} max 3 {{}}}}")


def test_in_is_padded_beside_out() -> None:
    assert in_step("in a\nout b: int") == "in  a\nout b: int"
    assert in_step("in a\nin b = c.d") == "in a\nin b = c.d"


def test_neighbours_are_aligned() -> None:
    assert in_step("in a = b.c\nin long = b.c") == "in a    = b.c\nin long = b.c"
    assert in_step("cpu = 1\n\nmemory = 1GiB") == "cpu = 1\n\nmemory = 1GiB"
    assert in_step("cpu = 1\n# c\nmemory = 1GiB") == "cpu = 1\n# c\nmemory = 1GiB"
    assert in_step("cpu = 1 # c\nmemory = 1GiB") == "cpu    = 1  # c\nmemory = 1GiB"


def test_empty_lines() -> None:
    assert in_step("\n\ncpu = 1\n\n \n\n# c\n\n\nrun []\n\n\n") == "cpu = 1\n\n# c\n\nrun []"
    assert formatted("\n\n# a\n\n\nflow f {}\n\n\n# b\n\n") == "# a\n\nflow f {}\n\n# b\n"


def test_comments_stay_where_they_are() -> None:
    assert in_step("# a\ncpu = 1 # b\n   # c\nrun [] # d\n# e") == "# a\ncpu = 1  # b\n# c\nrun []  # d\n# e"
    assert formatted("flow f # a\n{ # b\n}# c") == "flow f  # a\n    {  # b\n}  # c\n"
    assert formatted("flow f # a\n{ }# c") == "flow f {  # a\n}  # c\n"


def test_comments_within_an_item() -> None:
    assert in_step("in a # b\n= # c\n# d\nx.y") == "in a  # b\n    =  # c\n    # d\n    x.y"
    assert in_step('run [ # a\n"x" # b\n, # c\n# d\n"y" # e\n]') == (
        'run [  # a\n  "x",  # b\n  # c\n  # d\n  "y",  # e\n]'
    )
    assert in_step("after a # b\n, c") == "after a,  # b\n    c"


def test_comments_around_else() -> None:
    text = "flow f {\n  if a {}  # b\n  # c\n  else {}\n}\n"
    assert formatted(text) == text


def test_a_comment_does_not_become_documentation() -> None:
    """Documentation is what stands on lines directly above a declaration."""
    text = "flow f {  ## a\n  step s {}  ## b\n  step t {}\n\n  ## c\n\n  step u {}\n}\n"
    assert formatted(text) == text
    assert formatted("flow f\n## a\n## b\n{ step s {} }") == "flow f\n    ## a\n    ## b\n    {\n  step s {}\n}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("'''\necho\n'''", "'''\n  echo\n'''"),
        ("'''\n        echo\n          two\n\n   '''", "'''\n  echo\n    two\n\n'''"),
        ("'''echo\n    two'''", "'''echo\n  two'''"),
        ("'''\n\techo \n\t\ttwo\t'''", "'''\n  echo \n  \ttwo\t'''"),
        ("'''   \n   \n echo\n'''", "'''\n\n  echo\n'''"),
        ("'''\r\n  echo\r\n'''", "'''\n  echo\n'''"),
        ("'''   echo 'x''''", "'''   echo 'x''''"),
        ("'''\n'''", "'''\n'''"),
        ("''''''", "''''''"),
        # Its lines end oddly: a second reading of what was laid out would find another script.
        ("'''\n echo\r\r\n'''", "'''\n echo\r\n'''"),
    ],
)
def test_scripts_are_moved_as_a_whole(before: str, after: str) -> None:
    result = formatted(f"flow f {{ step s {{\nrun bash {before} }} }}")
    lines = after.split("\n")
    moved = "\n".join([lines[0], *(line and "    " + line for line in lines[1:])])
    if "\r" not in after:
        assert f"    run bash {moved}\n  }}\n" in result


def test_literals_stay_as_they_are() -> None:
    for literal in ("1.50", "1e5", "-0", "16Gi", "007", '"\\u"', '"${a.b}"', '" # "', "90m"):
        assert in_step(f"a={literal}") == f"a = {literal}"


def test_faults_beyond_the_syntax_are_no_hindrance() -> None:
    assert in_step("my-step  = début\nnope { x=y } run perl ''' x '''") == (
        "my-step = début\nnope { x = y }\nrun perl ''' x '''"
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "F0104"),
        ("# only this", "F0104"),
        ("flow f {", "F0102"),
        ("flow f { a = }", "F0101"),
        ('flow f { a = "x\n}', "F0105"),
        ("flow f { step s { run bash '''", "F0106"),
        ("flow f { a = 'x' }", "F0108"),
        ("flow f { a = $ }", "F0107"),
        ("flow f {} # \0", "F0107"),
        ("flow f { foreach x in 'y' {} }", "F0108"),
        ("edition 7 flow f {}", "F0116"),
    ],
)
def test_a_broken_program_is_refused(text: str, code: str) -> None:
    result, diagnostics = format_source(Source("a.flow", text))
    assert result is None
    assert code in [item.code for item in diagnostics]


def test_an_option_of_a_command_line_keeps_its_value_beside_it() -> None:
    words = ", ".join(f'"--option{number}", "value{number}"' for number in range(6))
    source = Source("x.flow", f'flow f {{ step s {{ run ["a.py", "-v", {words}, "--last"] }} }}')

    text, diagnostics = format_source(source)

    assert not diagnostics
    assert text is not None
    lines = [line.strip() for line in text.splitlines()]
    assert lines[3:7] == ['"a.py",', '"-v",', '"--option0", "value0",', '"--option1", "value1",']
    assert lines[10:12] == ['"--option5", "value5",', '"--last",']
