"""What a new user writes: one mistake is one diagnostic, at the right word, and says what to write instead.

Every slip stands between two good steps, which must still be read. The texts of the messages are in `tests/samples`.
"""

from __future__ import annotations

import pytest

from flowc.dsl import ast
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.parse import parse
from flowc.dsl.spans import Source

STEP = 'step a { run ["a"] }'


def answers(text: str) -> tuple[ast.File | None, list[tuple[str, str]], tuple[Diagnostic, ...]]:
    file, diagnostics = parse(Source("a.flow", text))
    return file, [(item.code, text[slice(*item.span)] if item.span else "") for item in diagnostics], diagnostics


def steps_of(nodes: tuple[ast.Node, ...]) -> list[str]:
    names: list[str] = []
    for node in nodes:
        match node:
            case ast.Step():
                names.append(node.name.text)
            case ast.If():
                names += [name for arm in node.arms for name in steps_of(arm.nodes)]
            case _:
                names += steps_of(node.nodes)
    return names


def check(text: str, code: str, place: str, remedy: str) -> None:
    file, found, diagnostics = answers(text)
    assert found == [(code, place)], text
    assert file is not None
    names = steps_of(file.flow.nodes)
    assert (names[0], names[-1]) == ("first", "last")
    assert any(remedy in line for line in ("", *diagnostics[0].help))


IN_FLOW = [
    # if
    ("if x { # } elif y { # }", "F0121", "elif", "did you mean `else if`?"),
    ("if x { # } elseif y { # } else { # }", "F0121", "elseif", "did you mean `else if`?"),
    ("if x { # }\n  elsif (y) { # }", "F0121", "elsif", "did you mean `else if`?"),
    ("if x # else { # }", "F0101", "step", "a block stands in braces"),
    ("if x { # } else #", "F0101", "step", "a block stands in braces"),
    ("if x { # } else if #", "F0101", "step", "a block stands in braces"),
    ("if x: { # }", "F0101", ":", "the block follows at once"),
    ("if x then { # }", "F0101", "then", "the block follows at once"),
    ("if x {\n    #\n  }\n  step b {}\n  else { # }", "F0101", "else", "`else` follows the `}` of an `if`"),
    ("if { # }", "F0101", "{", ""),
    ("if x and {\n    #\n  }", "F0101", "{", ""),
    ("if x == {\n    #\n  }", "F0101", "{", ""),
    ("if not {\n    #\n  } else { # }", "F0101", "{", ""),
    # conditions
    ("if x && y { # }", "F0123", "&&", "write `and`"),
    ("if x || y { # }", "F0123", "||", "write `or`"),
    ("if x | y { # }", "F0123", "|", "write `or`"),
    ("if !x { # }", "F0123", "!", "write `not`"),
    ("if !!x { # }", "F0123", "!!", "write `not not`"),
    ("if x === 3 { # }", "F0123", "===", "write `==`"),
    ("if x <> 3 { # }", "F0123", "<>", "write `!=`"),
    ("if x => 3 { # }", "F0123", "=>", "write `>=`"),
    ("if x =< 3 { # }", "F0123", "=<", "write `<=`"),
    ('if x is "a" { # }', "F0123", "is", "write `==`"),
    ('if x is not "a" { # }', "F0123", "is not", "write `!=`"),
    ("if x = 3 { # }", "F0124", "=", "write `==`"),
    ("if a.x = 3 and y { # }", "F0124", "=", "write `==`"),
    ("if 1 < x < 3 { # }", "F0122", "<", "write `1 < x and x < 3`"),
    ("if x == y == z { # }", "F0122", "==", "write `x == y and y == z`"),
    ("if x == not y { # }", "F0101", "not", "put it in parentheses"),
    ("if x + 1 < 3 { # }", "F0107", "+", "there is no arithmetic"),
    ("if x * 2 < 3 { # }", "F0101", "*", "there is no arithmetic"),
    ("if f(x) { # }", "F0101", "(", "there are no functions but `either` and `previous`"),
    ('if x in ["a"] { # }', "F0101", "in", "compare with each: `x == a or x == b`"),
    ('if x not in ["a"] { # }', "F0101", "not", "compare with each: `x != a and x != b`"),
    # foreach
    ("for x in xs { # }", "F0121", "for", "did you mean `foreach`?"),
    ("for (x in xs) { # }", "F0121", "for", "did you mean `foreach`?"),
    ("loop x in xs { # }", "F0121", "loop", "did you mean `foreach`?"),
    ("foreach (x in xs) { # }", "F0101", "(", "without parentheses"),
    ("foreach x of xs { # }", "F0121", "of", "did you mean `in`?"),
    ("foreach x, i in xs { # }", "F0101", ",", "write `foreach item in list { … }`"),
    ("foreach x { # }", "F0101", "{", "write `foreach item in list { … }`"),
    ("foreach x in xs: { # }", "F0101", ":", "the block follows at once"),
    ("foreach x in xs\n    #", "F0101", "step", "a block stands in braces"),
    ("foreach x in xs max { # }", "F0101", "{", ""),
    ("foreach x in xs max n { # }", "F0135", "n", "for instance `max 8`"),
    ("foreach x in xs max = 8 { # }", "F0101", "=", "write `max 8`"),
    ("foreach x in xs, max 8 { # }", "F0101", ",", ""),
    ("foreach x in xs parallel(8) { # }", "F0101", "parallel", "the `max` of the loop"),
    ("foreach x in range(3) { # }", "F0101", "(", "there are no functions"),
    ("foreach x in xs {\n    param p: int\n    #\n  }", "F0101", "param", "not in `foreach x`"),
    ("foreach x in xs { param p: int }", "F0101", "param", "not in `foreach x`"),
    ("foreach x in xs {\n    cpu = 3\n    #\n  }", "F0101", "cpu", "settings stand in a step"),
    ('foreach x in xs {\n    in x\n    run ["a"]\n  }', "F0101", "in", "`in` stands in a step"),
    # repeat
    ("while x { # }", "F0114", "while", "write `repeat max 10 { … } until condition`"),
    ("repeat { # } until x", "F0134", "repeat", "write `repeat max 10 { … } until condition`"),
    ("repeat 3 { # } until x", "F0101", "3", "write `repeat max 3 { … } until condition`"),
    ("repeat (3) { # } until x", "F0101", "(", "write `repeat max 3 { … } until condition`"),
    ("repeat max { # } until x", "F0101", "{", ""),
    ("repeat max n { # } until x", "F0135", "n", "for instance `max 8`"),
    ("repeat max 3 { # }", "F0136", "repeat", "until condition"),
    ("repeat { # }", "F0134", "repeat", "until condition"),
    ("repeat until x max 3 { # }", "F0137", "until", "until condition"),
    ("repeat max 3 until x { # }", "F0137", "until", "until condition"),
    ("repeat { # } until x max 3", "F0137", "max", "until condition"),
    ("repeat max 3 {\n    #\n    until x\n  }", "F0137", "until", "until condition"),
    ("repeat max 3 { # until x }", "F0137", "until", "until condition"),
    ("repeat max 3 { # } while x", "F0114", "while", "write `until` and when to stop"),
    ("repeat max 3 { # } until { x }", "F0101", "{", "conditions stand without braces"),
    ("repeat max 3 { # } until", "F0120", "until", ""),
    ("repeat max 3 { # } until x and", "F0120", "and", ""),
    ("until x { # }", "F0101", "until", "`until` follows the `}` of a `repeat`"),
    # heads of steps
    ("step b parallel 4 {}", "F0140", "4", "write `parallel(4)`"),
    ("step b parallel n.m {}", "F0140", "n", "write `parallel(n.m)`"),
    ("step b parallel[4] {}", "F0140", "[", "write `parallel(4)`"),
    ("step b parallel = 4 {}", "F0140", "=", "write `parallel(4)`"),
    ("step b parallel: 4 {}", "F0140", ":", "write `parallel(4)`"),
    ("step b parallel(nodes=4) {}", "F0101", "nodes=", "without a name: `(4)`"),
    ("step b parallel {}", "F0140", "parallel", "write `parallel(2)`"),
    ("step b(4) {}", "F0101", "(", "write `step b parallel(2)`"),
    ("step b after c {}", "F0101", "after", "`after` stands on a line of its own"),
    ('step "b" {}', "F0101", '"b"', "names stand without quotes: `b`"),
    # other lines
    ("torchrun { procs_per_node = 2 }", "F0101", "{", "step NAME parallel(2) { torchrun { … } }"),
    ("defaults { torchrun { procs_per_node = 2 } }", "F0101", "{", "step NAME parallel(2) { torchrun { … } }"),
    ("defaults { resources { cpu = 2 } }", "F0101", "{", "settings stand each on its line"),
    ("jobs:\n    #", "F0101", ":", "steps stand in the flow itself: step NAME { … }"),
    ("jobs: {\n    #\n  }", "F0101", ":", "steps stand in the flow itself: step NAME { … }"),
    ("steps {\n    #\n  }", "F0101", "{", "steps stand in the flow itself: step NAME { … }"),
    ("@step\n  #", "F0107", "@", "there are no decorators"),
    ("@retry(3)\n  #", "F0107", "@", "there are no decorators"),
    ("schedule 30 2 * * *", "F0101", "30", 'write `schedule "30 2 * * *" in "Europe/Paris"`'),
    ("schedule daily", "F0101", "daily", 'write `schedule "30 2 * * *" in "Europe/Paris"`'),
    ('schedule = "0 * * * *"', "F0101", "=", 'write `schedule "30 2 * * *" in "Europe/Paris"`'),
    ("schedule", "F0101", "step", 'write `schedule "30 2 * * *" in "Europe/Paris"`'),
    ('schedule "0 * * * *" "UTC"', "F0101", '"UTC"', 'schedule "0 * * * *" in "UTC"'),
    ('on { queue = "x" }', "F0139", "on", "on argo { … }"),
    ('on "argo" { queue = "x" }', "F0101", '"argo"', "names stand without quotes: `argo`"),
    ('on argo queue = "x"', "F0101", "queue", ""),
    ('secret "hub" { argo = "x" }', "F0101", '"hub"', "names stand without quotes: `hub`"),
    ('secret hub { argo: "x" }', "F0141", ":", "write `name = value`"),
    ('secret hub = "a/b"', "F0101", "=", 'secret hub { argo = "…" }'),
    ("secret hub", "F0101", "hub", ""),
    ("finally { foreach x in xs { # } }", "F0138", "foreach", "write the step itself"),
    ("finally {\n    if x { # } else { # }\n  }", "F0138", "if", "write the step itself"),
    ("finally { param p: int }", "F0101", "param", "`param` stands in the flow, not in `finally`"),
    ("finally #", "F0101", "step", "a block stands in braces"),
    ("edition 1", "F0101", "edition", "the edition stands before `flow`"),
    ("param p int", "F0101", "int", "write `param name: type = value`"),
    ("param p = 3", "F0101", "=", "write `param name: type = value`"),
    ("param p: list<int>", "F0143", "<int>", "write `list[int]`"),
    ("param p: list(int)", "F0143", "(int)", "write `list[int]`"),
    ("param p: int[] = [1]", "F0143", "int[]", "write `list[int]`"),
    ("param p: map[string, int]", "F0101", ",", "anything with names and values is `json`"),
    ("param p: int?", "F0107", "?", "a parameter may have a default"),
    ("param p: json = { a: 1 }", "F0141", ":", "write `name = value`"),
    ('param p: json = { a = 1, "a" = 2 }', "F0129", '"a"', ""),
    ("param p: json = { a = 1,, b = 2 }", "F0101", ",", ""),
    ("param p: json = { a = }", "F0101", "}", ""),
]

IN_STEP = [
    ("in x: int", "F0101", ":", "write `in name = value`"),
    ("in x: list[int] = y", "F0101", ":", "write `in name = value`"),
    ("in x =", "F0120", "=", ""),
    ("in x = y and", "F0120", "and", ""),
    ("in x = not", "F0120", "not", ""),
    ("in x = xs[0]", "F0125", "[0]", "with `foreach`"),
    ("in x = xs[-1].y", "F0125", "[-1]", "with `foreach`"),
    ("in x = xs[1:2]", "F0125", "[1:2]", "with `foreach`"),
    ("in x = a.*.b", "F0126", ".*", "write `a[*].b`"),
    ("in x = a.b[*]", "F0126", "[*]", "write `a[*].b`"),
    ("in x = a[*].b[*]", "F0126", "[*]", "write `a[*][*].b`"),
    ("in x = a[].b", "F0126", "[]", "write `a[*].b`"),
    ("in x = a[:].b", "F0126", "[:]", "write `a[*].b`"),
    ("in x = a.b.c", "F0127", ".c", "`step.output`"),
    ("in x = a.b.c.d", "F0127", ".c", "`step.output`"),
    ("in x = a.out.x", "F0127", "a.out.x", "write `a.x`"),
    ("in x = a.outputs.x", "F0127", "a.outputs.x", "write `a.x`"),
    ("in x = steps.a.x", "F0127", "steps.a.x", "write `a.x`"),
    ("in x = steps.a.outputs.x", "F0127", "steps.a.outputs.x", "write `a.x`"),
    ("in x = param.n", "F0101", "param", "write `n`"),
    ("in x = step.a.y", "F0101", "step", "write `a.y`"),
    ("in x = either(a, b).c", "F0127", ".c", ""),
    ("in x = either a, b", "F0101", "a", "write `either(a, b)`"),
    ("in x = either[a, b]", "F0101", "[", "write `either(a, b)`"),
    ("in x = either(a b)", "F0101", "b", ""),
    ("in x = either(a,)", "F0101", ")", ""),
    ("in x = either()", "F0101", ")", "write `either(a, b)`"),
    ('run ["a", out]', "F0101", "]", "a name follows: `out.name`"),
    ("out each: int", "F0101", ":", "write `out each name: type`"),
    ("cpu:\n      4", "F0101", ":", "a value follows on the same line"),
    ("in x = previous(a.b)", "F0128", "previous(a.b)", "write `previous("),
    ("in x = previous(a.b, 1, 2)", "F0128", "previous(a.b, 1, 2)", "write `previous("),
    ("in x = previous()", "F0101", ")", "write `previous(a, b)`"),
    ("in x = previous a.b", "F0101", "a", "write `previous(a, b)`"),
    ("in x = a ? b : c", "F0107", "?", "`either(a, b)`"),
    ("in x = a if b else c", "F0101", "if", "`either(a, b)`"),
    ("in x = f(a)", "F0101", "(", "there are no functions"),
    ('in x = "a" + b', "F0107", "+", "there is no arithmetic"),
    ("in x = $y", "F0107", "$", "names stand for themselves"),
    ("in x = ${y}", "F0107", "$", "names stand for themselves"),
    ("in x = {y}", "F0142", "{y}", "write `y`"),
    ("in x = {{ y.z }}", "F0142", "{{ y.z }}", "write `y.z`"),
    ('run ["a", {p}]', "F0142", "{p}", "write `p`"),
    ('run ["a", {p}, "b"]', "F0142", "{p}", "write `p`"),
    ('run ["a", in.x]', "F0101", "in", "the name of an input stands for itself"),
    ("out x", "F0101", "run", "write `out name: type`"),
    ("out x int", "F0101", "int", "write `out name: type`"),
    ("out each x", "F0101", "run", ""),
    ("each out x: int", "F0101", "each", "write `out each name: type`"),
    ("after run", "F0113", "run", ""),
    ("after run, b", "F0113", "run", ""),
    ('after "b"', "F0101", '"b"', "names stand without quotes: `b`"),
    ("after [b, c]", "F0101", "[", "write `after step_a, step_b`"),
    ("after b and c", "F0101", "and", "write `after step_a, step_b`"),
    ("parallel 4", "F0101", "parallel", "it stands in the step's head"),
    ("parallel(4)", "F0101", "parallel", "it stands in the step's head"),
    ("parallel = 4", "F0113", "parallel", "it stands in the step's head"),
    ('on { queue = "x" }', "F0139", "on", "on argo { … }"),
    ("main gpu = 0", "F0101", "gpu", ""),
    ("main {\n      in x\n    }", "F0101", "in", "`in` stands in the step, not in `main`"),
    ('on argo {\n      run ["x"]\n    }', "F0101", "run", "`run` stands in the step, not in `on argo`"),
    ("torchrun: { procs_per_node = 8 }", "F0101", ":", "the block follows at once"),
    ("torchrun { procs_per_node: 8 }", "F0141", ":", "write `name = value`"),
    ("torchrun procs_per_node = 8", "F0101", "torchrun", ""),
    ("cpu: 4", "F0141", ":", "write `name = value`"),
    ("cpu := 4", "F0141", ":=", "write `name = value`"),
    ("cpu == 4", "F0141", "==", "write `name = value`"),
    ("cpu 4", "F0101", "4", ""),
    ('env X: "a"', "F0141", ":", "write `name = value`"),
    ("image = python:3.11", "F0101", ":", "text stands in double quotes"),
    ("foreach x in xs {\n      #\n    }", "F0101", "foreach", "`foreach` stands in the flow, not in `step middle`"),
    ("if x {\n      #\n    } else {\n      #\n    }", "F0101", "if", "`if` stands in the flow, not in `step middle`"),
    ("for x in xs { # }", "F0101", "for", "loops stand in the flow, around steps"),
    ("repeat max 3 { # } until x", "F0101", "repeat", "stands in the flow, not in `step middle`"),
    ("finally { # }", "F0101", "finally", "`finally` stands in the flow, not in `step middle`"),
    ("defaults { cpu = 3 }", "F0101", "defaults", "`defaults` stands in the flow, not in `step middle`"),
    ("param p: int", "F0101", "param", "`param` stands in the flow, not in `step middle`"),
    ('secret hub { argo = "x" }', "F0101", "secret", "`secret` stands in the flow, not in `step middle`"),
    ('schedule "0 * * * *"', "F0101", "schedule", "`schedule` stands in the flow, not in `step middle`"),
    # strings
    ('in x = "${a + b}"', "F0131", "a + b", "there is no computing in strings"),
    ('in x = "${a[0]}"', "F0131", "a[0]", "the elements of a list cannot be picked"),
    ('in x = "${a[*].b}"', "F0131", "a[*].b", "it is a list"),
    ('in x = "${a.*.b}"', "F0131", "a.*.b", "it is a list"),
    ('in x = "${a.b.c}"', "F0131", "a.b.c", "values have no parts"),
    ('in x = "${}"', "F0131", "${}", r"write `\${`"),
    ('in x = "${ a }"', "F0131", " a ", "without blanks: `${a}`"),
    ('in x = "${{ a }}"', "F0131", "{ a }", "one pair of braces: `${a}`"),
    ('in x = "${{a.b}}"', "F0131", "{a.b}", "one pair of braces: `${a.b}`"),
    ('in x = "${{ steps.a.outputs.b }} c"', "F0131", "{ steps.a.outputs.b }", "write `${a.b}`"),
    ('in x = "${a.outputs.b}"', "F0131", "a.outputs.b", "write `${a.b}`"),
    ('in x = "${param.a}"', "F0131", "param.a", "the name of a parameter stands for itself: `${a}`"),
    ('in x = "${in.a}"', "F0131", "in.a", "the name of an input stands for itself: `${a}`"),
    ('in x = "${out}"', "F0131", "out", "`out` is a word of the language"),
    ('in x = "${step.x}"', "F0131", "step.x", ""),
    ('in x = "${a.step}"', "F0131", "a.step", ""),
    ('in x = "${either(a, b)}"', "F0131", "either(a, b)", "give the value a name"),
    ('in x = "${a:-b}"', "F0131", "a:-b", "works in `run bash`"),
    ('in x = "${3}"', "F0131", "3", "stands in the text as it is"),
    ('in x = "${a"', "F0130", "${", r"write `\${`"),
    ('in x = "a${b}${"', "F0130", "${", r"write `\${`"),
    ('run ["--token=${secret.hub}"]', "F0132", "secret.hub", "env HUB = secret.hub"),
    ('call "a.py:${b}"', "F0133", '"a.py:${b}"', ""),
    ('in x = { "${y}" = 1 }', "F0133", '"${y}"', ""),
    (r'in x = "\q${a}"', "F0109", r"\q", r"a backslash is written twice: `\\q`"),
    (r'in x = "\u00e4"', "F0109", r"\u", "for a character write the character itself"),
    ('in x = f"{n}-a"', "F0108", 'f"{n}-a"', 'write `"${n}-a"`'),
    ('in x = f"{n + 1}"', "F0108", 'f"{n + 1}"', "leave it out; a value is written `${name}`"),
    ("run [\"a\", f'{n}']", "F0108", "f'{n}'", 'write `"${n}"`'),
    (r'in x = r"\d+"', "F0108", r'r"\d+"', r'write `"\\d+"`'),
    # numbers
    ("in x = +5", "F0110", "+5", "numbers have no plus sign: write `5`"),
    ("in x = [1, +5.5]", "F0110", "+5.5", "numbers have no plus sign: write `5.5`"),
    ("in x = a +5", "F0107", "+", "there is no arithmetic"),
    ("in x = 0x1F", "F0110", "0x1F", "numbers are decimal: write `31`"),
    ("in x = 99999999999999999999", "F0112", "99999999999999999999", "is text, in double quotes"),
    ("in x = 1e400", "F0112", "1e400", "up to about 1.8e308"),
    ("timeout = 999999999999999999d", "F0112", "999999999999999999d", "up to 106751991167300d"),
    # names
    ("in Ä = 3", "F0117", "Ä", "for instance `a`"),
    ("in BestModel = 3", "F0117", "BestModel", "for instance `best_model`"),
    ("in HTTPPort2 = 3", "F0117", "HTTPPort2", "for instance `http_port2`"),
    ("in größe__x = 3", "F0117", "größe__x", "for instance `grosse_x`"),
    ("in x = 'a'", "F0108", "'a'", 'write `"a"`'),
]


@pytest.mark.parametrize(("lines", "code", "place", "remedy"), IN_FLOW, ids=[case[0] for case in IN_FLOW])
def test_a_slip_in_a_flow(lines: str, code: str, place: str, remedy: str) -> None:
    # A step that may stand in the place of `#` is called the same wherever it stands.
    text = f'flow f {{\n  step first {{ run ["a"] }}\n  {lines.replace("#", STEP)}\n  step last {{ run ["a"] }}\n}}\n'
    check(text, code, place, remedy)


@pytest.mark.parametrize(("lines", "code", "place", "remedy"), IN_STEP, ids=[case[0] for case in IN_STEP])
def test_a_slip_in_a_step(lines: str, code: str, place: str, remedy: str) -> None:
    text = (
        'flow f {\n  step first { run ["a"] }\n  step middle {\n    in p\n'
        f'    {lines.replace("#", STEP)}\n    run ["b", p]\n  }}\n  step last {{ run ["a"] }}\n}}\n'
    )
    check(text, code, place, remedy)


def test_a_script_without_end_is_told_how_to_end() -> None:
    _, _, diagnostics = answers("flow f { step a { run bash '''\n  echo\n} }")
    assert [item.code for item in diagnostics] == ["F0106"]
    assert diagnostics[0].help == ("write ''' after the last line of the script",)


def test_a_step_called_by_a_word_of_the_language_is_found_by_it() -> None:
    file, found, _ = answers('flow f { step run { out y: int run ["a"] } step b { in z = run.y run ["b", z] } }')
    assert found == [("F0113", "run")]
    assert file is not None
    step = file.flow.nodes[1]
    assert isinstance(step, ast.Step)
    assert isinstance(step.inputs[0].value, ast.Ref)


def test_each_of_many_mistakes_is_reported() -> None:
    text = """flow f {
  schedule daily
  secret hub { argo: "x" }
  param sites: list<string>

  foreach site of sites {
    step a parallel 4 {
      in x: int
      in y = sites[0]
      cpu 4
      run ["a", "${ y }", {x}]
    }
  }

  if a.b = 3 && !c {
    step d { run ["d"] }
  } elif 1 < a.b < 3 {
    step e { on { queue = "x" } run ["e"] }
  }

  repeat {
    step g {
      out h
      run ["g", "${secret.hub}"]
    }
  } until g.h || x

  finally {
    if x { step i { run ["i"] } }
  }
}
"""
    source = Source("a.flow", text)
    file, diagnostics = parse(source)
    found = [(source.position(item.span.start).line, item.code) for item in diagnostics if item.span]
    assert found == [
        (2, "F0101"),
        (3, "F0141"),
        (4, "F0143"),
        (6, "F0121"),
        (7, "F0140"),
        (8, "F0101"),
        (9, "F0125"),
        (10, "F0101"),
        (11, "F0131"),
        (11, "F0142"),
        (15, "F0124"),
        (15, "F0123"),
        (15, "F0123"),
        (17, "F0121"),
        (17, "F0122"),
        (18, "F0139"),
        (21, "F0134"),
        (24, "F0101"),
        (24, "F0132"),
        (26, "F0123"),
        (29, "F0138"),
    ]
    assert file is not None
    assert file.damaged
    assert steps_of(file.flow.nodes) == ["a", "d", "e", "g"]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("if a && !b { }", "if a and not b { }"),
        ("if a = 3 { }", "if a == 3 { }"),
        ("if a <> 3 { }", "if a != 3 { }"),
        ("step s parallel 4 { }", "step s parallel(4) { }"),
        ("step s parallel[a.b] { }", "step s parallel(a.b) { }"),
        ("cpu: 4", "cpu = 4"),
        ("cpu := 4", "cpu = 4"),
        ('param p: json = { "a": 1 }', 'param p: json = { "a" = 1 }'),
        ("param p: list<int>", "param p: list[int]"),
        ("param p: int[]", "param p: list[int]"),
        ("if a { } elif b { }", "if a { } else if b { }"),
        ("step s { in x = 'say \"hi\"' }", r'step s { in x = "say \"hi\"" }'),
        ('step s { in x = f"a{b}" }', 'step s { in x = "a${b}" }'),
        ("step s { in x = +5 }", "step s { in x = 5 }"),
        (r'step s { in x = "\d+" }', r'step s { in x = "\\d+" }'),
        ("for a in b { }", "foreach a in b { }"),
        ("step s { in x = a.*.b }", "step s { in x = a[*].b }"),
        ("step s { in x = a.b[*] }", "step s { in x = a[*].b }"),
        ('step s { run ["${ a }"] }', 'step s { run ["${a}"] }'),
        ('step s { run ["a", param.n, "${param.n}", "${{ n }}"] }', 'step s { run ["a", n, "${n}", "${n}"] }'),
        ('step s { run ["a", {b}] }', 'step s { run ["a", b] }'),
        ("step s { in x = {{ a.b }} }", "step s { in x = a.b }"),
        ('step "s" { }', "step s { }"),
    ],
)
def test_a_fix_makes_it_right(wrong: str, right: str) -> None:
    text = f"flow f {{ {wrong} }}"
    _, diagnostics = parse(Source("a.flow", text))
    edits = [edit for item in diagnostics if item.fix for edit in item.fix.edits]
    assert len(edits) == len(diagnostics) > 0
    for edit in sorted(edits, key=lambda edit: -edit.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert text == f"flow f {{ {right} }}"
    assert parse(Source("a.flow", text))[1] == ()
