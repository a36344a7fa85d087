"""What may be absent where it is read: plain and starred references, `either`, `previous`, `finally`.

The rules one by one, and then all together against enumeration: random nestings, every way a run can go.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.compiler.coverage import Condition, Question, Term, together, uncovered
from flowc.compiler.driver import check_source
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Source


def said(inside: str) -> tuple[Diagnostic, ...]:
    head = "param go: bool\nparam n: int\nparam items: list[int]\n"
    found = check_source(Source("t.flow", f"flow f {{\n{head}{inside}\n}}\n"), Path("/nowhere")).diagnostics
    return tuple(item for item in found if item.code not in ("F0212", "F0213", "F0262"))


def only(inside: str) -> Diagnostic:
    found = said(inside)
    assert len(found) == 1, [(item.code, item.message) for item in found]
    return found[0]


def codes(inside: str) -> list[str]:
    return [item.code for item in said(inside)]


def step(name: str, *reads: str, fails: bool = False) -> str:
    """A step with an int as its output `x`, and an input for each value that it reads."""
    inputs = " ".join(f"in i{n} = {text}" for n, text in enumerate(reads))
    return f'step {name} {{ {inputs} out x: int {"allow_failure = true " * fails} run ["{name}", out.x] }} '


IF_A = f"if go {{ {step('a')} }}\n"
A_OR_B = f"if go {{ {step('a')} }} else {{ {step('b')} }}\n"
A_OR_B_OR_C = f"if go {{ {step('a')} }} else if n > 1 {{ {step('b')} }} else {{ {step('c')} }}\n"
LOOP_A = f"foreach i in items {{ if i > 1 {{ {step('a')} }} else {{ {step('b')} }} }}\n"


# --- plain references -------------------------------------------------------------------------------------------------


def test_a_value_that_an_if_may_skip() -> None:
    found = only(IF_A + step("z", "a.x"))
    assert found.code == "F0252"
    assert found.message == "`a.x` may be absent here, since `a` runs only if its arm of an `if` is taken"
    assert found.help == ("say what stands in for it then: `either(a.x, 0)`",)


def test_an_arm_that_always_one_is_taken_of_is_no_exception() -> None:
    assert codes(A_OR_B + step("z", "a.x")) == ["F0252"]


@pytest.mark.parametrize(
    "inside",
    [
        f"if go {{ {step('a')} {step('z', 'a.x')} }}",
        f"if go {{ {step('a')} foreach i in items {{ {step('z', 'a.x')} }} }}",
        f"if go {{ {step('a')} if n > 1 {{ {step('b')} }} else {{ {step('z', 'a.x')} }} }}",
        f"if go {{ foreach i in items {{ {step('a')} }} {step('z', 'a[*].x')} }}",
        f"foreach i in items {{ if go {{ {step('a')} {step('z', 'a.x')} }} }}",
        f"repeat max 2 {{ if go {{ {step('a')} {step('z', 'a.x')} }} {step('r')} }} until r.x > 1",
    ],
)
def test_inside_the_same_arm_a_reference_is_plain(inside: str) -> None:
    assert codes(inside) == []


def test_a_sibling_arm_is_never_there() -> None:
    for value in ("a.x", "either(a.x, 0)"):
        found = only(f"if go {{ {step('a')} }} else {{ {step('z', value)} }}")
        assert found.code == "F0251"
        assert found.message == "`a.x` never exists here: `a` is in another arm of the same `if`"
        assert [label.text for label in found.related] == ["`a` runs in this arm", "`z` is in this one"]


def test_a_sibling_arm_further_out() -> None:
    inside = f"if go {{ if n > 1 {{ {step('a')} }} }} else {{ foreach i in items {{ {step('z', 'a.x')} }} }}"
    assert codes(inside) == ["F0251"]


@pytest.mark.parametrize("reader", ["if a.x > 1 {{ {} }}", "foreach i in [a.x] {{ {} }}"])
def test_heads_of_blocks_read_like_steps(reader: str) -> None:
    assert codes(IF_A + reader.format(step("z"))) == ["F0252"]
    assert codes(IF_A + reader.replace("a.x", "either(a.x, 0)").format(step("z"))) == []


def test_the_size_of_a_gang_is_read_like_an_input() -> None:
    gang = 'step z parallel({}) {{ run ["z"] }}'
    assert codes(IF_A + gang.format("a.x")) == ["F0252"]
    assert codes(IF_A + gang.format("either(a.x, 1)")) == []


def test_until_reads_at_the_end_of_the_turn() -> None:
    assert codes(f"repeat max 2 {{ {IF_A} }} until a.x > 1") == ["F0252"]
    assert codes(f"repeat max 2 {{ {IF_A} }} until either(a.x, 0) > 1") == []
    assert codes(f"if go {{ repeat max 2 {{ {step('a')} }} until a.x > 1 }}") == []


def test_of_a_value_all_parts_have_to_be_there() -> None:
    assert codes(A_OR_B + step("z", "[a.x, b.x]")) == ["F0252", "F0252"]
    assert codes(A_OR_B + step("z", "a.x > 1 and not b.x == 2")) == ["F0252", "F0252"]


def test_in_a_string_the_remedy_is_an_input() -> None:
    (help_,) = only(IF_A + step("z", '"${a.x}"')).help
    assert help_ == "a string takes plain references only: make it an input, `in NAME = either(a.x, 0)`, and use that"


def test_what_is_unresolved_is_not_complained_about_again() -> None:
    assert codes(IF_A + step("z", "either(a.x, q.x)")) == ["F0202"]
    assert codes(IF_A + step("z", "either(a.y, 0)")) == ["F0203"]
    loop = f"if go {{ foreach i in items {{ {step('a')} }} }}\n"
    assert codes(loop + step("z", "either(a.y, 0)[*]")) == ["F0203"]


# --- steps that may fail ----------------------------------------------------------------------------------------------

MAY_FAIL = step("a", fails=True)


def test_a_step_that_may_fail() -> None:
    found = only(MAY_FAIL + step("z", "a.x"))
    assert found.code == "F0254"
    assert [label.text for label in found.related] == ["has `allow_failure`"]
    assert codes(MAY_FAIL + step("z", "either(a.x, 0)")) == []
    assert codes(MAY_FAIL + 'step z { after a run ["z"] }') == []


def test_a_step_that_may_fail_is_not_covered_by_one_that_may_fail_too() -> None:
    found = only(MAY_FAIL + step("b", fails=True) + step("z", "either(a.x, b.x)"))
    assert found.message == "this `either` has no value when `a` has failed and `b` has failed"


def test_a_loop_of_a_step_that_may_fail() -> None:
    loop = f"foreach i in items {{ {MAY_FAIL} }}"
    found = only(loop + step("z", "a[*].x"))
    assert (found.code, found.help) == ("F0255", ("say what stands in for an absent item: `either(a.x, 0)[*]`",))
    assert codes(loop + step("z", "either(a.x, 0)[*]")) == []


def test_the_turn_before_may_have_failed_too() -> None:
    body = "repeat max 2 {{ {} }} until either(a.x, 0) > 1"
    assert codes(body.format(step("a", "previous(a.x, 0)", fails=True))) == ["F0254"]
    assert codes(body.format(step("a", "previous(either(a.x, 0), 0)", fails=True))) == []


# --- loops ------------------------------------------------------------------------------------------------------------


def test_items_that_an_if_may_skip() -> None:
    for value in ("a[*].x", "either(a[*].x, [])"):
        found = only(LOOP_A + step("z", value))
        assert (found.code, found.help) == ("F0253", ("say what stands in for an absent item: `either(a.x, 0)[*]`",))


def test_either_for_each_item() -> None:
    assert codes(LOOP_A + step("z", "either(a.x, b.x)[*]")) == []
    assert codes(LOOP_A + step("z", "either(a.x, 0)[*]")) == []
    assert codes(f"foreach i in items {{ {IF_A} }}" + step("z", "either(a.x)[*]")) == ["F0256"]


def test_an_if_around_a_loop_makes_its_list_absent() -> None:
    inside = f"if go {{ foreach i in items {{ {step('a')} }} }}"
    found = only(inside + step("z", "a[*].x"))
    assert (found.code, found.help) == ("F0252", ("say what stands in for it then: `either(a[*].x, [])`",))
    assert codes(inside + step("z", "either(a[*].x, [])")) == []


@pytest.mark.parametrize(
    ("inside", "remedy"),
    [
        (f"foreach i in items {{ foreach j in items {{ {IF_A} }} }}", "either(a.x, 0)[*][*]"),
        (f"foreach i in items {{ if go {{ foreach j in items {{ {step('a')} }} }} }}", "either(a[*].x, [])[*]"),
        (f"if go {{ foreach i in items {{ foreach j in items {{ {step('a')} }} }} }}", "either(a[*][*].x, [])"),
        (
            f"foreach i in items {{ repeat max 2 {{ foreach j in items {{ {IF_A} }} {step('r')} }} until r.x > 1 }}",
            "either(a.x, 0)[*][*]",
        ),
    ],
)
def test_loops_in_loops_and_their_remedy(inside: str, remedy: str) -> None:
    found = only(inside + step("z", "a[*][*].x"))
    assert found.help[0].endswith(f"`{remedy}`")
    assert codes(inside + step("z", remedy)) == []


def test_the_last_turn() -> None:
    inside = f"repeat max 2 {{ {A_OR_B} {step('r')} }} until r.x > 1\n"
    assert codes(inside + step("z", "r.x")) == []
    assert codes(inside + step("z", "a.x")) == ["F0252"]
    assert codes(inside + step("z", "either(a.x, b.x)")) == []


def test_a_loop_that_an_if_may_skip() -> None:
    inside = f"if go {{ repeat max 2 {{ {step('a')} }} until a.x > 1 }} else {{ {step('b')} }}"
    assert codes(inside + step("z", "a.x")) == ["F0252"]
    assert codes(inside + step("z", "either(a.x, b.x)")) == []


# --- previous ---------------------------------------------------------------------------------------------------------


def test_previous_looks_at_the_end_of_the_turn_before() -> None:
    """In the turn before another arm may have been taken than in this one, also by the reader itself."""
    turn = "repeat max 2 {{ if go {{ {} }} else {{ {} }} {} }} until r.x > 1"
    own = turn.format(step("a", "previous(a.x, 0)"), step("b"), step("r"))
    assert codes(own) == ["F0252"]
    covered = turn.format(step("a", "previous(either(a.x, b.x), 0)"), step("b"), step("r"))
    assert codes(covered) == []
    sibling = turn.format(step("a", "previous(b.x, 0)"), step("b"), step("r"))
    assert codes(sibling) == ["F0252"]


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (f"if previous(a.x, 1) > 0 {{ {step('a')} }}", ["F0252"]),
        (f"if previous(either(a.x, 0), 1) > 0 {{ {step('a')} }}", []),
        (f"if go {{ {step('s')} }} else if previous(s.x, 1) > 0 {{ {step('a')} }}", ["F0252"]),
        (f"if go {{ {step('s')} }} else if previous(either(s.x, 0), 1) > 0 {{ {step('a')} }}", []),
        (f"foreach v in previous(a[*].x, [1]) {{ {step('a', fails=True)} }}", ["F0255"]),
        (f"foreach v in previous(a[*].x, [1]) {{ {step('a')} }}", []),
        (f"foreach v in previous(either(a.x, 0)[*], [1]) {{ {step('a', fails=True)} }}", []),
        (f"foreach v in previous(either(a.x, 0)[*], [1]) {{ if go {{ {step('a')} }} }}", []),
        (f"foreach v in previous(either(a.x, 0)[*], [1]) {{ {step('a')} }}", ["F0258"]),
        (f"if go {{ repeat max 2 {{ {step('a')} }} until previous(a.x, 1) > 0 }}", []),
    ],
)
def test_a_head_may_read_its_own_block_in_the_turn_before(inside: str, expected: list[str]) -> None:
    assert codes(f"repeat max 4 {{ {inside} {step('z')} }} until z.x > 1") == expected


@pytest.mark.parametrize(
    "inside",
    [
        f"if either(a.x, 0) > 1 {{ {step('a')} }}",
        f"if go {{ {step('a')} }} else if either(a.x, 0) > 1 {{ {step('b')} }}",
        f"foreach i in either(a[*].x, [1]) {{ {step('a')} }}",
        f"foreach i in either(a.x, 0)[*] {{ {step('a')} }}",
        step("a", "either(a.x, 0)"),
    ],
)
def test_what_waits_for_itself_has_no_other_fault(inside: str) -> None:
    assert codes(inside) == ["F0250"]


def test_two_turns_do_not_complete_each_other() -> None:
    inside = f"repeat max 2 {{ {A_OR_B} {step('r', 'either(previous(a.x, 0), b.x)')} }} until r.x > 1"
    found = only(inside)
    assert found.message == (
        "this `either` has no value when in the turn before, the `else` in line 5 is taken "
        "and the arm in line 5 is taken"
    )


def test_the_first_turn_has_to_have_its_value() -> None:
    inside = IF_A + f"repeat max 2 {{ {step('r', 'previous(r.x, a.x)')} }} until r.x > 1"
    assert codes(inside) == ["F0252"]
    assert codes(inside.replace("a.x)", "either(a.x, 0))")) == []


# --- either -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("blocks", "value", "when"),
    [
        (IF_A, "either(a.x)", "the condition in line 5 does not hold"),
        (A_OR_B, "either(a.x)", "the `else` in line 5 is taken"),
        (A_OR_B, "either(b.x)", "the arm in line 5 is taken"),
        (A_OR_B, "either(a.x, b.x)", None),
        (A_OR_B, "either(b.x, a.x)", None),
        (A_OR_B_OR_C, "either(a.x, c.x)", "the arm in line 5 is taken"),
        (A_OR_B_OR_C, "either(a.x, b.x, c.x)", None),
        (A_OR_B_OR_C, "either(a.x, n)", None),
        (
            f"if go {{ {step('a')} }} else if n > 1 {{ {step('b')} }}",
            "either(a.x, b.x)",
            "no condition of the `if` in line 5 holds",
        ),
        (
            f"if go {{ if n > 1 {{ {step('a')} }} else {{ {step('b')} }} }} else {{ {step('c')} }}",
            "either(a.x, c.x)",
            "the arm in line 5 is taken and the `else` in line 5 is taken",
        ),
        (
            f"if go {{ if n > 1 {{ {step('a')} }} else {{ {step('b')} }} }} else {{ {step('c')} }}",
            "either(c.x, b.x, a.x)",
            None,
        ),
        (A_OR_B, "either(either(a.x, b.x))", None),
        (A_OR_B_OR_C, "either(either(a.x, b.x), c.x)", None),
        (A_OR_B, "either(a.x > 1, b.x > 1)", None),
        (A_OR_B, "either(a.x > b.x)", "the arm in line 5 is taken"),
        (A_OR_B, "not either(a.x > 1, b.x > 1)", None),
    ],
)
def test_arguments_cover_every_arm(blocks: str, value: str, when: str | None) -> None:
    found = said(blocks + step("z", value))
    assert [item.code for item in found] == (["F0256"] if when else [])
    assert [item.message for item in found] == ([f"this `either` has no value when {when}"] if when else [])


def test_the_remedy_is_a_last_argument_of_its_type() -> None:
    assert only(IF_A + step("z", "either(a.x > 1)")).help == (
        "add a last argument that is always there: `either(a.x > 1, false)`",
    )


def test_where_there_is_no_literal_the_remedy_says_what_is_meant() -> None:
    a = 'if go { step a { out d: dir run ["a", out.d] } }\n'
    assert only(a + step("z", "a.d")).help == (
        "say what stands in for it then: `either(a.d, …)`, with a dir of a step that always runs",
    )
    assert only(a + step("z", "either(a.d)")).help == (
        "add a last argument that is always there: `either(a.d, …)`, with a dir of a step that always runs",
    )


def test_ifs_with_the_same_condition_are_two_ifs() -> None:
    """What conditions say is not compared, only which arms there are."""
    inside = IF_A + f"if not go {{ {step('b')} }}\n" + step("z", "either(a.x, b.x)")
    assert codes(inside) == ["F0256"]


@pytest.mark.parametrize(
    ("value", "unused"),
    [
        ("either(0, a.x)", "a.x"),
        ("either(a.x, n, b.x)", "b.x"),
        ("either(a.x, b.x, 0)", "0"),
        ("either(a.x, either(b.x, 0, n))", "n"),
        ("either(a.x, 0)", None),
        ("either(a.x, b.x)", None),
    ],
)
def test_an_argument_that_is_never_used(value: str, unused: str | None) -> None:
    found = said(A_OR_B + step("z", value))
    assert [item.code for item in found] == (["F0258"] if unused else [])
    for item in found:
        assert item.severity == "warning"
        assert item.span is not None
        inside = f"flow f {{\nparam go: bool\nparam n: int\nparam items: list[int]\n{A_OR_B}{step('z', value)}"
        assert inside[slice(*item.span)] == unused


# --- finally ----------------------------------------------------------------------------------------------------------


def test_in_finally_every_other_step_may_be_missing() -> None:
    found = only(step("a") + f"finally {{ {step('z', 'a.x')} }}")
    assert found.code == "F0257"
    assert found.help == ("say what stands in for it then: `either(a.x, 0)`",)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("either(a.x, 0)", []),
        ("either(a.x, b.x)", ["F0256"]),
        ("either(a.x, b.x, n)", []),
        ("either(q[*].x, [])", []),
        ("q[*].x", ["F0257"]),
        ("either(q.x, 0)[*]", ["F0257"]),
        ("either(either(q.x, 0)[*], [])", ["F0258"]),
        ("either(p[*].x, [])", ["F0253"]),
        ("either(either(p.x, 0)[*], [])", []),
        ("either(r.x, 0)", []),
        ("run.status", []),
    ],
)
def test_what_finally_reads(value: str, expected: list[str]) -> None:
    blocks = (
        A_OR_B
        + f"foreach i in items {{ {step('q')} if i > 1 {{ {step('p')} }} }}\n"
        + f"repeat max 2 {{ {step('r')} }} until r.x > 1\n"
    )
    assert codes(f"{blocks}finally {{ {step('z', value)} }}") == expected


def test_steps_of_finally_read_each_other_plainly() -> None:
    assert codes(step("a") + f"finally {{ {step('y')} {step('z', 'y.x')} }}") == []
    assert codes(step("a") + f"finally {{ {step('y', fails=True)} {step('z', 'y.x')} }}") == ["F0254"]


# --- against enumeration ----------------------------------------------------------------------------------------------

QUESTIONS = [Question("arm", f"if{n}", n % 2 + 2) for n in range(4)]


@st.composite
def terms(draw: st.DrawFn) -> list[Term]:
    condition = st.sampled_from(QUESTIONS).flatmap(
        lambda question: st.integers(0, question.choices - 1).map(lambda choice: Condition(question, choice))
    )
    return draw(st.lists(st.lists(condition, min_size=1, max_size=4).map(tuple), max_size=8))


def runs(questions: Sequence[Question]) -> Iterator[dict[Question, int]]:
    for choices in itertools.product(*(range(question.choices) for question in questions)):
        yield dict(zip(questions, choices, strict=True))


def holds(term: Term, run: dict[Question, int]) -> bool:
    return all(run[condition.question] == condition.choice for condition in term)


@given(terms())
def test_coverage_is_exact(alternatives: list[Term]) -> None:
    case = uncovered(alternatives)
    bare = [run for run in runs(QUESTIONS) if not any(holds(term, run) for term in alternatives)]
    assert (case is None) == (not bare)
    if case is not None:
        assert any(holds(case, run) for run in bare)


@given(st.lists(terms().filter(lambda found: 0 < len(found) < 6), min_size=1, max_size=3))
def test_a_value_of_several_parts_is_there_with_all_of_them(needed: list[list[Term]]) -> None:
    found = together(needed)
    for run in runs(QUESTIONS):
        each = all(any(holds(term, run) for term in alternatives) for alternatives in needed)
        assert any(holds(term, run) for term in found) == each


def test_coverage_takes_its_time_with_the_length_alone() -> None:
    """Ten thousand arguments, each under an `if` of its own; a nest of 50; one that no budget is enough for."""
    apart = [Question("arm", f"if{n}", 2) for n in range(10_000)]
    assert len(uncovered([(Condition(question, 0),) for question in apart]) or ()) == 10_000
    nest = [
        (*(Condition(question, 0) for question in apart[:depth]), Condition(apart[depth], 1)) for depth in range(50)
    ]
    assert uncovered(nest) is not None
    assert uncovered([*nest, tuple(Condition(question, 0) for question in apart[:50])]) is None
    tangled = [
        (Condition(apart[one], one % 2), Condition(apart[other], other % 2), Condition(apart[third], third % 2))
        for one, other, third in itertools.combinations(range(40), 3)
    ]
    assert uncovered(tangled) is not None


@dataclass
class Program:
    """A nesting of ifs as text, with what has to be chosen for each of its steps."""

    lines: list[str] = field(default_factory=list)
    steps: dict[str, dict[str, int]] = field(default_factory=dict)
    choices: dict[str, int] = field(default_factory=dict)
    readers: list[dict[str, int]] = field(default_factory=list)


@st.composite
def programs(draw: st.DrawFn) -> tuple[Program, dict[str, int], list[tuple[str, ...]]]:
    """A program, what has been chosen where it reads, and the arguments of its `either`: the steps of each."""
    program = Program()
    reader = draw(st.integers(0, 12))

    def nodes(depth: int, around: dict[str, int]) -> None:
        for _ in range(draw(st.integers(1, 2))):
            if depth < 3 and len(program.choices) < 5 and draw(st.booleans()):
                branch(depth, around)
            else:
                name = f"s{len(program.steps)}"
                needs, fails = dict(around), draw(st.integers(0, 5)) == 0
                if fails:
                    program.choices[name] = 2
                    needs[name] = 0
                program.steps[name] = needs
                text = "allow_failure = true " * fails
                program.lines.append(f'step {name} {{ out x: string {text} run ["{name}", out.x] }}')
        program.lines.append(f"@{len(program.readers)}")
        program.readers.append(dict(around))

    def branch(depth: int, around: dict[str, int]) -> None:
        name = f"c{len(program.choices)}"
        arms, total = draw(st.integers(1, 2)), draw(st.booleans())
        program.choices[name] = arms + 1
        for arm in range(arms + total):
            head = f"else if {name} == {arm}" if arm else f"if {name} == {arm}"
            program.lines.append(f"{head if arm < arms else 'else'} {{")
            nodes(depth + 1, {**around, name: arm})
            program.lines.append("}")

    nodes(0, {})
    place = reader % len(program.readers)
    chosen = program.readers[place]
    # What the reader's own arm rules out never exists for it, and is an error of its own.
    seen = [
        name for name, needs in program.steps.items() if all(needs.get(key, arm) == arm for key, arm in chosen.items())
    ]
    arguments = (
        draw(st.lists(st.lists(st.sampled_from(seen), min_size=1, max_size=2).map(tuple), min_size=1, max_size=6))
        if seen
        else []
    )
    written = [
        f"{found[0]}.x" if len(found) == 1 else f'"{"".join("${" + name + ".x}" for name in found)}"'
        for found in arguments
    ]
    text = f'step z {{ in v = either({", ".join(written)}) run ["z", v] }}' if written else ""
    program.lines = [
        text if line == f"@{place}" else line for line in program.lines if line[0] != "@" or line == f"@{place}"
    ]
    return program, chosen, arguments


@settings(max_examples=100)
@given(programs())
def test_either_against_every_way_a_run_can_go(
    drawn: tuple[Program, dict[str, int], list[tuple[str, ...]]],
) -> None:
    program, chosen, arguments = drawn
    params = "".join(f"param {name}: int\n" for name in program.choices if name[0] == "c")
    text = f"flow f {{\n{params}" + "\n".join(program.lines) + "\n}\n"
    found = check_source(Source("t.flow", text), Path("/nowhere")).diagnostics

    def present(argument: tuple[str, ...], run: dict[str, int]) -> bool:
        return all(run[key] == arm for name in argument for key, arm in program.steps[name].items())

    every = itertools.product(*map(range, program.choices.values()))
    runs = [dict(zip(program.choices, choices, strict=True)) for choices in every]
    ways = [run for run in runs if chosen.items() <= run.items()]
    enough = next(
        (
            count
            for count in range(1, len(arguments) + 1)
            if all(any(present(argument, run) for argument in arguments[:count]) for run in ways)
        ),
        None,
    )
    expected = []
    if arguments and enough is None:
        expected = ["F0256"]
    elif enough is not None and enough < len(arguments):
        expected = ["F0258"]
    assert [item.code for item in found if item.code in ("F0251", "F0252", "F0254", "F0256", "F0258")] == expected, text
