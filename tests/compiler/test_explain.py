"""`flowc explain`: every code has a page, and what the pages show is true.

The wrong program of a page has errors of that code and no others; the right one has nothing wrong with it. Both are in
the one layout. What a page has to look like is told in `flowc.compiler.explain`.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flowc.compiler import explain
from flowc.compiler.driver import TARGETS, check_source, compile_source, run_source
from flowc.compiler.explain import Block, Page
from flowc.compiler.inputs import Refused
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.format import format_source
from flowc.dsl.spans import Source

ROOT = Path(__file__).parents[2]
FLOWC = Path(sys.executable).parent / "flowc"

# Programs that are too long for a page.
GENERATED: dict[str, Callable[[], str]] = {
    "F0118": lambda: flow(f'step a {{ run ["show", {"[" * 200}{"]" * 200}] }}'),
    "F0119": lambda: flow("step a { cpu 4 4 }\n" * 300),
    "F1003": lambda: flow(steps(200)),
    "F1004": lambda: flow("".join(f"param p{i}: int = 0\n" for i in range(501)) + steps(1)),
    "F1006": lambda: flow(steps(199, f'image = "{"x" * 6000}"')),
    "F1007": lambda: flow(steps(199, f'image = "{"x" * 1500}"')),
    "F1008": lambda: flow("".join(f'param p{i}: string = "{"x" * 4000}"\n' for i in range(30)) + steps(1)),
    "F2003": lambda: flow(steps(500)),
    "F2006": lambda: flow(steps(1, f'image = "{"x" * 256}"')),
    "F2011": lambda: flow(
        steps(60, "after s{before}") + "".join(f'step t{i} {{ after s{i} run ["note"] }}\n' for i in range(60))
    ),
    "F2012": lambda: flow("defaults { retries = 100 retry_wait = 0s }\n" + steps(100, "after s{before}")),
    "F2102": lambda: flow(
        "".join(
            f'step a{i} {{ run ["a"] }}\nstep b{i} {{ run ["b"] }}\n'
            f'step c{i} {{ after a{i} run ["c"] }}\nstep d{i} {{ after a{i}, b{i} run ["d"] }}\n'
            for i in range(11)
        )
    ),
}
# What no flow file can show.
NOT_SHOWN = {
    "F0601": "needs a folder that cannot be bundled",
    "F1005": "the language itself takes no such image",
    "F1009": "the language's own limit of nodes is lower",
    "F1010": "the language's own ranges are narrower",
    "F2004": "a flow that has room in the stack has room in the machine",
    "F2005": "no image that Batch takes is long enough",
    "F2013": "a flow that has room in the stack has room in the template",
}
# Codes that come in the company of another one by their nature.
BESIDE = {"F0119": {"F0101"}, "F1004": {"F0212"}, "F1008": {"F0212"}, "F2102": {"F2101"}}


def flow(inside: str) -> str:
    return f"flow generated {{\n{inside}\n}}\n"


def steps(count: int, line: str = "") -> str:
    lines = (line.replace("{before}", str(i - 1)) if i or "{before}" not in line else "" for i in range(count))
    return "".join(f'step s{i} {{ {each} run ["work"] }}\n' for i, each in enumerate(lines))


def codes() -> set[str]:
    files = [file for folder in ("dsl", "compiler", "targets") for file in (ROOT / folder).rglob("*faults.py")]
    return {code for file in files for code in re.findall(r'"(F\d{4})"', file.read_text())}


PAGES = [page for code in explain.codes() if (page := explain.find(code))]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.code)


def one(section: str, language: str) -> str | None:
    """The text of the section's only block in a language, if there is one."""
    texts = [block.text for block in explain.blocks(section) if block.language == language]
    assert len(texts) <= 1
    return texts[0] if texts else None


def files_of(section: str) -> list[Block]:
    return [block for block in explain.blocks(section) if block.file is not None]


def found(page: Page, text: str, section: str, folder: Path) -> tuple[Diagnostic, ...]:
    """What is said of a program of the page, compiled for the target that the code belongs to."""
    for block in files_of(section):
        assert block.file is not None
        (folder / block.file).parent.mkdir(exist_ok=True)
        (folder / block.file).write_text(block.text)
    source = Source("flow.flow", text)
    target = {"1": "argo", "2": "sfn"}.get(page.code[1])
    if page.code[1] == "3":
        return run_source(source, folder).diagnostics
    if target is None:
        return check_source(source, folder).diagnostics
    store = "s3://bucket/prefix"
    if command := one(section, "sh"):
        words = shlex.split(command)
        assert words[:2] == ["flowc", "compile"]
        assert words[words.index("--target") + 1] == target
        store = words[words.index("--store") + 1]
    return compile_source(source, folder, target, store).diagnostics


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert set(explain.codes()) == codes()
    assert TARGETS.keys() == {"argo", "sfn"}, "a new target has new codes: tell `found` how to compile for it"


@each_page
def test_a_page_has_its_shape(page: Page) -> None:
    headings = re.findall(r"^#.*$", re.sub(r"^```.*?^```$", "", page.markdown, flags=re.S | re.M), re.M)
    assert headings == [f"# {page.code}: {page.title}", "## Wrong", "## Right"]
    assert page.title[-1] != "."
    assert page.summary
    assert page.markdown.endswith("```\n")
    assert max(map(len, page.markdown.split("\n"))) <= 120 or page.code == "F1002"
    assert {block.language for block in explain.blocks(page.markdown)} <= {"flow", "python", "json", "sh", "text"}
    shown = page.code not in GENERATED | NOT_SHOWN
    assert (one(page.section("Wrong"), "flow") is not None) == shown
    assert one(page.section("Right"), "flow") is not None or page.code in NOT_SHOWN


@each_page
def test_the_wrong_program_has_this_fault_alone(page: Page, tmp_path: Path) -> None:
    if page.code in NOT_SHOWN:
        return
    section = page.section("Wrong")
    text = one(section, "flow") or GENERATED[page.code]()
    said = {
        item.code for item in found(page, text, section, tmp_path) if item.severity != "note" or item.code == page.code
    }
    assert page.code in said
    assert said <= {page.code} | BESIDE.get(page.code, set())


@each_page
def test_the_right_program_has_no_fault(page: Page, tmp_path: Path) -> None:
    section = page.section("Right")
    text = one(section, "flow")
    if text is None:
        assert page.code in NOT_SHOWN
        return
    own = {block.file for block in files_of(section)}
    kept = "".join(
        f"```python file={block.file}\n{block.text}```\n"
        for block in files_of(page.section("Wrong"))
        if block.file not in own
    )
    said = found(page, text, kept + section, tmp_path)
    assert [item.code for item in said if item.severity != "note" or item.code == page.code] == []


@each_page
def test_programs_are_in_the_one_layout(page: Page) -> None:
    for block in explain.blocks(page.markdown):
        if block.language == "flow":
            formatted, _ = format_source(Source("flow.flow", block.text))
            assert formatted in (None, block.text)


# --- the command ------------------------------------------------------------------------------------------------------


def flowc(*arguments: str, code: int = 0) -> tuple[str, str]:
    done = subprocess.run([str(FLOWC), *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def test_a_page_on_the_terminal() -> None:
    out, err = flowc("explain", "F0523")
    assert err == ""
    assert out == (
        "F0523: a function that the file does not have\n"
        "\n"
        "The file defines no function of this name at its top level, and does not import one\n"
        "either.\n"
        "\n"
        "Wrong\n"
        "\n"
        "    flow train {\n"
        "      step prepare {\n"
        '        call "prepare.py:splitt"\n'
        "      }\n"
        "    }\n"
        "\n"
        "    prepare.py:\n"
        "\n"
        "    def split() -> None:\n"
        '        print("split")\n'
        "\n"
        "Right\n"
        "\n"
        "    flow train {\n"
        "      step prepare {\n"
        '        call "prepare.py:split"\n'
        "      }\n"
        "    }\n"
    )


@pytest.mark.parametrize("word", ["f0523", "0523", "523", "f523", "error[F0523]", "error[F0523]:", "[F0523]"])
def test_a_code_may_be_written_as_it_is_at_hand(word: str) -> None:
    assert explain.asked(word).code == "F0523"


def test_several_pages_at_once() -> None:
    out, _ = flowc("explain", "F0202", "F0101")
    assert [line[:6] for line in out.split("\n") if re.match(r"F\d{4}:", line)] == ["F0202:", "F0101:"]


def test_without_a_code_all_are_listed() -> None:
    out, _ = flowc("explain")
    assert set(re.findall(r"^  (F\d{4})  \S", out, re.M)) == set(explain.codes())
    assert re.findall(r"^\S.*$", out, re.M) == list(explain.FAMILIES.values())


def test_an_unknown_code() -> None:
    out, err = flowc("explain", "F0299", code=2)
    assert out == ""
    assert err.startswith("flowc: error: there is no code F0299\n  = help: did you mean F02")


@pytest.mark.parametrize(("word", "help_"), [("wait for each other", "F0206: steps that wait"), ("../x", "lists them")])
def test_what_is_no_code(word: str, help_: str) -> None:
    with pytest.raises(Refused) as refused:
        explain.asked(word)
    assert any(remedy.startswith(help_) or help_ in remedy for remedy in refused.value.remedies)


def test_a_reader_that_leaves() -> None:
    process = subprocess.Popen([str(FLOWC), "explain"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(60), said) == (141, "")


def test_a_message_names_the_command(tmp_path: Path) -> None:
    (tmp_path / "x.flow").write_text("flow f {\n  step A { cpu = 2; run [] }\n}\n")
    out, _ = flowc("check", str(tmp_path / "x.flow"), code=1)
    command = out.rstrip().split("\n")[-1]
    assert command == "more: flowc explain F0117 F0107 F0510"
    assert len(re.findall(r"^F\d{4}: ", flowc(*command.split()[2:])[0], re.M)) == 3
