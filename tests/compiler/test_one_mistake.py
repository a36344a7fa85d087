"""One mistake, one diagnostic: slips that once brought others with them, each with its place and its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowc.compiler.driver import check_source
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Source

_BODY = 'run ["x", p, out.o]'


def answer(text: str) -> tuple[str, str, tuple[str, ...]]:
    """The code of the only diagnostic, the text it points at, and its help."""
    found: tuple[Diagnostic, ...] = check_source(Source("t.flow", text), Path("/nowhere")).diagnostics
    assert len(found) == 1, [(item.code, item.message) for item in found]
    (only,) = found
    assert only.span is not None
    return only.code, text[slice(*only.span)], only.help


def in_step(lines: str, head: str = "step a") -> str:
    return (
        f"flow f {{\n  param p: int = 1\n  {head} {{\n    in p\n    out o: int\n    {lines}\n  }}\n"
        '  step z {\n    in o = a.o\n    run ["echo", o]\n  }\n}\n'
    )


@pytest.mark.parametrize(
    ("lines", "code", "place", "remedy"),
    [
        # words for `run`
        ('exec ["x", p, out.o]', "F0121", "exec", "did you mean `run`?"),
        ('run_ ["x", p, out.o]', "F0121", "run_", "did you mean `run`?"),
        ("bash '''\n echo $in_p\n '''", "F0101", "bash", "write `run bash '''…'''`"),
        ("pyton '''\n pass\n '''", "F0101", "pyton", "write `run python '''…'''`"),
        ("runbash '''\n echo $in_p\n '''", "F0101", "runbash", "write `run bash '''…'''`"),
        ("exec '''\n echo $in_p\n '''", "F0101", "exec", "write `run bash '''…'''`"),
        ('cmd = ["x", p, out.o]', "F0401", "cmd", "did you mean `run`?"),
        ('run = ["x", p, out.o]', "F0101", "=", 'a command is a list: run ["program", "argument"]'),
        ('run("x", p, out.o)', "F0101", "(", 'a command is a list: run ["program", "argument"]'),
        # words of the step's head, or of the flow, among its lines
        (f"parallel = 2\n{_BODY}", "F0113", "parallel", "it stands in the step's head: step NAME parallel(2) { … }"),
        (f"parallel(2)\n{_BODY}", "F0101", "parallel", "it stands in the step's head: step NAME parallel(2) { … }"),
        (f"param q: int = 1\n    {_BODY}", "F0101", "param", "`param` stands in the flow, not in `step a`"),
        (
            f'step b {{\n      run ["y"]\n    }}\n    {_BODY}',
            "F0101",
            "step",
            "`step` stands in the flow, not in `step a`",
        ),
        # lines that begin with no word of the language, or go on after their end
        (f"inptu q = p\n{_BODY}", "F0121", "inptu", "did you mean `in`?"),
        (f"in q from p\n{_BODY}", "F0101", "from", ""),
        (f"def q\n{_BODY}", "F0101", "def", ""),
        (f"torchrun(procs_per_node = 2)\n{_BODY}", "F0101", "(", "a block stands in braces: torchrun { … }"),
        (f"cpu = 2,\n{_BODY}", "F0101", ",", "lines end without a sign"),
        (f"timeout = 30 s\n{_BODY}", "F0101", "s", "a unit follows its number without a blank"),
        (f"return 3\n{_BODY}", "F0101", "3", ""),
        (f"let x = 3\n{_BODY}", "F0101", "let", ""),
        ('run ["x", in.p, out.o]', "F0101", "in", "the name of an input stands for itself: write `p`"),
        # declarations in the manner of other languages
        (f"in q: int = p\n{_BODY}", "F0101", ":", "an input takes the type of its value: write `in name = value`"),
        (
            f"in q: list[int] = p\n{_BODY}",
            "F0101",
            ":",
            "an input takes the type of its value: write `in name = value`",
        ),
        (f"out int r\n{_BODY}", "F0101", "r", "the type follows the name: write `name: type`"),
        (f"out r\n{_BODY}", "F0101", "run", "an output has a type: write `out name: type`"),
        (f"out r: int | float\n{_BODY}", "F0107", "|", "write `and`, `or`, `not`"),
        (f"env A\n{_BODY}", "F0101", "A", "write `env NAME = value`"),
        (f"env = 3\n{_BODY}", "F0101", "=", "write `env NAME = value`"),
        (f"torchrun = 2\n{_BODY}", "F0401", "torchrun", "it stands in a block of its own: `torchrun { … }`"),
        # characters
        ("run [🚀]", "F0107", "🚀", ""),
        ("run [`x`, p, out.o]", "F0108", "`x`", 'write `"x"`'),
        (f"/* several\n lines */\n{_BODY}", "F0107", "/", "comments begin with `#`"),
        (f"-- one line\n{_BODY}", "F0107", "--", "comments begin with `#`"),
    ],
)
def test_a_slip_in_a_step(lines: str, code: str, place: str, remedy: str) -> None:
    found = answer(in_step(lines))
    assert found[:2] == (code, place)
    assert remedy in (found[2] or ("",))


_NO_NULL = 'there is no null: write a value, an empty one for instance, as `""` or `[]`'
_BAD_NAME = """flow f {{
  step My {{
    out y: int
    run ["x", out.y]
  }}
  step b {{
    {}
    run ["x", p]
  }}
}}
"""
_ROOTS = """flow f {{
  param n: int
  step a {{
    out x: int
    run ["x", out.x]
  }}
  step b {{
    in v = {}
    in n
    run ["x", v, n]
  }}
  finally {{ step c {{ out z: int run ["c", out.z] }} }}
}}
"""
_INPUT = "an input stands for itself: write `n`"
_NO_INPUT = "add the line `in n` to `a` and write `n` here"


@pytest.mark.parametrize(
    ("text", "code", "place", "remedy"),
    [
        ('flow f {\n  step a { run ["x"] }\n  step b { rum ["y"] }\n}\n', "F0121", "rum", "did you mean `run`?"),
        ('flow f {\n  step b { image = "i" rum ["y"] }\n}\n', "F0121", "rum", "did you mean `run`?"),
        ('flow f\n  step a { run ["x"] }\n}\n', "F0101", "f", "a block stands in braces: `{ … }`"),
        (
            'flow f {\n  params {\n    p: int = 1\n  }\n  step a { run ["x"] }\n}\n',
            "F0101",
            "{",
            "each parameter has a line of its own: `param name: type = value`",
        ),
        (
            'flow f {\n  param int p = 1\n  step a {\n    in p\n    run ["x", p]\n  }\n}\n',
            "F0101",
            "p",
            "the type follows the name: write `name: type`",
        ),
        ('flow f {\n  param p: int =\n  step a { run ["x"] }\n}\n', "F0120", "=", ""),
        ('flow f {\n  param p:\n  step a { run ["x"] }\n}\n', "F0101", ":", ""),
        (
            'flow f {\n  param l: list[int] = [1]\n  for x in l {\n    step a { run ["x"] }\n  }\n}\n',
            "F0121",
            "for",
            "did you mean `foreach`?",
        ),
        # A name that cannot be one is a mistake where it is given, not wherever it is used.
        (
            'flow f {\n  param max: int\n  step a {\n    in max\n    run ["x", max]\n  }\n}\n',
            "F0113",
            "max",
            "for instance `max_`",
        ),
        (
            'flow f {\n  param template: int\n  step a {\n    in template\n    run ["x", template]\n  }\n}\n',
            "F0114",
            "template",
            "",
        ),
        (
            'flow f {\n  step 1a { run ["x"] }\n}\n',
            "F0117",
            "1a",
            "names are lower-case letters, digits and underscores, and begin with a letter",
        ),
        (
            'flow f {\n  param p: bool = True\n  step a {\n    in p\n    run ["x", p]\n  }\n}\n',
            "F0411",
            "True",
            "did you mean `true`?",
        ),
        (
            'flow f {\n  param p: string = hello\n  step a {\n    in p\n    run ["x", p]\n  }\n}\n',
            "F0411",
            "hello",
            'text stands in double quotes: "hello"',
        ),
        (
            'flow f {\n  param p: string = null\n  step a {\n    in p\n    run ["x", p]\n  }\n}\n',
            "F0411",
            "null",
            'there is no null: leave the default out, then every run gives a value, or write an empty value: `""`',
        ),
        (
            'flow f {\n  param p: list[int] = nil\n  step a {\n    in p\n    run ["x", p]\n  }\n}\n',
            "F0411",
            "nil",
            "there is no null: leave the default out, then every run gives a value, or write an empty value: `[]`",
        ),
        (
            'flow f {\n  param p: int = None\n  step a {\n    in p\n    run ["x", p]\n  }\n}\n',
            "F0411",
            "None",
            "there is no null: leave the default out, then every run gives a value",
        ),
        (
            'flow f {\n  param p: float = nan\n  step a {\n    in p\n    run ["x", p]\n  }\n}\n',
            "F0411",
            "nan",
            "numbers are finite, there is no `nan`: write a number",
        ),
        ('flow f {\n  step a {\n    in p = null\n    run ["x", p]\n  }\n}\n', "F0201", "null", _NO_NULL),
        (_BAD_NAME.format("in p = my.y\n    after my"), "F0117", "My", "for instance `my`"),
        (_BAD_NAME.format("in p = My.y\n    after My"), "F0117", "My", "for instance `my`"),
        (_ROOTS.format("params.n"), "F0202", "params.n", "write `n`"),
        (_ROOTS.format("inputs.n"), "F0202", "inputs.n", "write `n`"),
        (_ROOTS.format("steps.a"), "F0202", "steps.a", "write `a.x`"),
        (_ROOTS.format("outputs.x"), "F0202", "outputs.x", "write `a.x`"),
        (_ROOTS.format("steps.q"), "F0202", "steps", "the steps: `a`"),
        (
            'flow f {\n  param n: int\n  step a {\n    in n\n    run ["x", params.n]\n  }\n}\n',
            "F0207",
            "params.n",
            _INPUT,
        ),
        ('flow f {\n  param n: int\n  step a {\n    run ["x", params.n]\n  }\n}\n', "F0216", "params.n", _NO_INPUT),
        (
            'flow f {\n  step a {\n    image = ubuntu\n    run ["x"]\n  }\n}\n',
            "F0405",
            "ubuntu",
            'text stands in double quotes: "ubuntu"',
        ),
    ],
)
def test_a_slip_in_a_flow(text: str, code: str, place: str, remedy: str) -> None:
    found = answer(text)
    assert found[:2] == (code, place)
    assert remedy in (found[2] or ("",))


# Steps, loops and a gang that the lines below refer to; each is right by itself.
_AROUND = """
  param n: int = 2
  param regions: list[string] = ["eu"]
  param config: json = {}
  secret hub {
    argo = "hub/token"
    sfn  = "hub:token"
  }
  step plain { out x: int out s: string out f: file out l: list[int] run ["a", out.x, out.s, out.f, out.l] }
  step gang parallel(2) { out each sec: float run ["a", out.sec] }
  foreach region in regions {
    step check { in region out auc: float run ["a", region, out.auc] }
  }
  foreach site in regions { step other { in site out auc: float run ["a", site, out.auc] } }
  repeat max 3 { step turn { out k: int run ["a", out.k] } } until turn.k > 2
"""


_TWO_ARMS = """
  if n > 1 { step z { out k: int run ["x", out.k] } } else {
    step z { out k: int run ["x", out.k] }
    step u { in a = z.k run ["x", a] }
  }
  step w { in a = z.k in b = either(z.k, 0) run ["x", a, b] }
"""


@pytest.mark.parametrize(
    ("lines", "code", "place"),
    [
        # joins
        ('step z { in a = check.auc run ["x", a, "${a}"] env A = a }', "F0312", "check.auc"),
        ('step z { in a = gang.sec run ["x", a] }', "F0313", "gang.sec"),
        ('step z { in a = plain[*].x run ["x", a] }', "F0314", "[*]"),
        ('step z { in a = either(check.auc, other.auc)[*] run ["x", a] }', "F0227", "either(check.auc, other.auc)[*]"),
        ('foreach i in check.auc { step z parallel(i) { in i run ["x", i] } }', "F0312", "check.auc"),
        # loops and conditions over what does not fit them
        ('foreach i in plain.s { step z parallel(i) { in i run ["x", "${i}"] env I = i } }', "F0321", "plain.s"),
        ('foreach i in nobody.l { step z parallel(i) { in i run ["x", "${i}"] } }', "F0202", "nobody"),
        ('if plain.x { step z { run ["x"] } } else if plain.x > 1 { step y { run ["y"] } }', "F0320", "plain.x"),
        ('repeat max 0 { step z { out k: int run ["x", out.k] } } until z.k > 1', "F0326", "0"),
        ('step z parallel(plain.s) { torchrun { procs_per_node = 2 } run ["-m", "x"] }', "F0322", "plain.s"),
        # previous
        ('step z { in a = previous(turn.k, 0) run ["x", a] }', "F0221", "previous"),
        ('repeat max 2 { step z { in a = previous(plain.x, 0) run ["x", a] } } until true', "F0222", "plain.x"),
        (
            'repeat max 2 { step z { in a = previous(z.k, z.k) out k: int run ["x", a, out.k] } } until z.k > 1',
            "F0223",
            "z.k",
        ),
        # names
        ('foreach region in regions { step z { in region run ["x", region] } }', "F0204", "region"),
        ('foreach n in regions { step z { in n run ["x", n] } }', "F0204", "n"),
        (
            _TWO_ARMS,
            "F0204",
            "z",
        ),
        ('foreach plain in regions { step z { in plain in x = plain run ["x", plain, x] } }', "F0204", "plain"),
        ('step plain { out z: int run ["a", out.z] } step z { in a = plain.z run ["x", a] }', "F0204", "plain"),
        ('step z { in region run ["x", region, "${region}"] env R = region }', "F0220", "region"),
        ('step z { in n = plain.s run ["x", n] }', "F0208", "n"),
        # types
        (
            'step z { out o: strng run ["x", out.o] } if z.o { step y { in o = z.o run ["y", "${o}"] } }',
            "F0301",
            "strng",
        ),
        ('step z { in a = [plain.x, plain.s] run ["x", a] env A = a }', "F0307", "plain.s"),
        ('step z { in a = either(plain.x, plain.s) run ["x", a] env A = a }', "F0324", "plain.s"),
        ('step z { out m: pickle run ["x", out.m] }', "F0318", "m"),
        ('step z { in config env C = config run ["x"] }', "F0311", "config"),
        # secrets, finally
        ('step z { in a = secret.hub run ["x", a] env A = a }', "F0315", "secret.hub"),
        ('step z { env A = secret.hbu run ["x"] }', "F0226", "hbu"),
        ('step z { in s = run.status run ["x", s] }', "F0225", "run.status"),
        ('finally { step z { out k: int run ["x", out.k] } } step y { in k = z.k run ["y", k] }', "F0224", "z.k"),
        ('finally { step z { run ["x"] } } finally { step y { run ["y"] } }', "F0229", "finally"),
        ("finally { }", "F0228", "finally"),
        ("foreach a in regions { foreach b in [a] { } }", "F0228", "foreach b in [a]"),
    ],
)
def test_a_slip_in_a_block_or_an_expression(lines: str, code: str, place: str) -> None:
    assert answer(f"flow f {{{_AROUND}  {lines}\n}}\n")[:2] == (code, place)
