"""Substitution is textual, in several passes, and values are scanned again: the tests are the traps."""

from __future__ import annotations

from typing import Any

import pytest

from .errors import NodeError, UnsupportedField
from .expressions import Value
from .substitute import check_tags, leftovers, process_arguments, replace, substitute_parameters

SCOPE: dict[str, Value] = {"workflow.name": "wf", "workflow.parameters.p": 'say "hi"\n', "node.name": "wf.a"}


def env(value: str) -> dict[str, Any]:
    return {"name": "t", "container": {"env": [{"name": "X", "value": value}]}}


def filled(value: str, argument: str | None = None, scope: dict[str, Value] | None = None) -> str:
    template = env(value)
    if argument is not None:
        template["inputs"] = {"parameters": [{"name": "x"}]}
    arguments = {} if argument is None else {"x": argument}
    done = process_arguments(template, arguments, SCOPE if scope is None else scope)
    return str(done["container"]["env"][0]["value"])


def test_a_simple_tag_is_replaced_and_escaped_for_json() -> None:
    assert filled("{{workflow.parameters.p}}") == 'say "hi"\n'
    assert filled("<{{ workflow.name }}>") == "<wf>"


def test_an_expression_is_evaluated() -> None:
    assert filled("{{=toJson(workflow.parameters.p)}}") == '"say \\"hi\\"\\n"'
    assert filled("{{=workflow.name == 'wf' && true}}") == "true"


def test_an_expression_may_use_globals_and_inputs_together() -> None:
    assert filled("{{=workflow.name + inputs.parameters.x}}", "1") == "wf1"


def test_a_value_is_scanned_again() -> None:
    assert filled("{{inputs.parameters.x}}", "{{workflow.name}}") == "wf"
    assert filled("{{inputs.parameters.x}}", "{{='a' + workflow.name}}") == "awf"
    assert filled("{{=inputs.parameters.x}}", "{{workflow.name}}") == "wf"
    assert filled("{{workflow.parameters.p}}", scope={**SCOPE, "workflow.parameters.p": "{{node.name}}"}) == "wf.a"


def test_base64_is_the_way_past_the_scanner() -> None:
    assert filled("{{=sprig.b64enc(workflow.parameters.p)}}", scope={"workflow.parameters.p": "{{x"}) == "e3t4"


def test_braces_without_an_end_break_the_node() -> None:
    template = {"value": "{{inputs.parameters.x}}", "z": "end"}
    with pytest.raises(NodeError, match="Cannot find end tag"):
        replace(replace(template, {"inputs.parameters.x": "a{{b"}), {})


@pytest.mark.parametrize("hostile", ["\x1b[31m", "\a", "\x7f", "\v"])
def test_a_control_character_breaks_a_simple_tag_but_not_an_expression(hostile: str) -> None:
    with pytest.raises(NodeError, match="invalid JSON"):
        filled("{{inputs.parameters.x}}", hostile)
    assert filled("{{=toJson(workflow.parameters.p)}}", scope={"workflow.parameters.p": hostile})


def test_printable_characters_of_every_plane_pass() -> None:
    assert filled("{{inputs.parameters.x}}", "żółć 😀 \\ \"q\" 'q' \t") == "żółć 😀 \\ \"q\" 'q' \t"


def test_an_invisible_character_beyond_the_first_plane_breaks_the_node() -> None:
    with pytest.raises(NodeError, match="invalid JSON"):
        filled("{{inputs.parameters.x}}", "\U000e0001")


def test_a_value_cannot_leave_its_string() -> None:
    assert filled("{{inputs.parameters.x}}", '"}],"command":["evil') == '"}],"command":["evil'


def test_an_unknown_name_stays_as_text() -> None:
    assert filled("{{retries}}") == "{{retries}}"
    assert filled("{{=retries + 'x'}}") == "{{=retries + 'x'}}"
    assert filled("{{inputs.parameters.nope}}") == "{{inputs.parameters.nope}}"


def test_retries_are_known_only_in_the_pass_of_an_attempt() -> None:
    first = process_arguments(env("{{retries}} {{=retries + '!'}} {{node.name}}"), {}, SCOPE)
    second = substitute_parameters(first, {"retries": "4"})
    assert second["container"]["env"][0]["value"] == "4 4! wf.a"


def test_names_that_no_single_pass_knows_together_never_resolve() -> None:
    first = process_arguments(env("{{=node.name + retries}}"), {}, SCOPE)
    second = substitute_parameters(first, {"retries": "4"})
    with pytest.raises(NodeError, match="failed to resolve"):
        leftovers(second, "t")


def test_a_tag_within_a_tag_is_resolved_from_the_inside() -> None:
    assert filled("{{workflow.{{node.name}}}}", scope={"node.name": "name"}) == "{{workflow.name}}"


def test_what_is_left_over_with_a_known_prefix_is_an_error_and_other_text_is_not() -> None:
    for text in ("{{inputs.parameters.nope}}", "{{=nope}}", "{{tasks.a.outputs.parameters.x}}", "{{item}}"):
        with pytest.raises(NodeError, match="failed to resolve"):
            leftovers({"a": [text]}, "t")
    leftovers({"a": ["{{retries}} {{anything}} {{itemised}}"]}, "t")


def test_an_input_takes_its_argument_then_its_default_then_fails() -> None:
    template = {**env("{{inputs.parameters.x}}"), "inputs": {"parameters": [{"name": "x", "default": "d"}]}}
    assert process_arguments(template, {"x": "a"}, {})["container"]["env"][0]["value"] == "a"
    assert process_arguments(template, {}, {})["container"]["env"][0]["value"] == "d"
    assert process_arguments(template, {"x": None}, {})["container"]["env"][0]["value"] == "d"
    bare = {**template, "inputs": {"parameters": [{"name": "x"}]}}
    with pytest.raises(NodeError, match="was not supplied"):
        process_arguments(bare, {}, {})
    with pytest.raises(NodeError, match="absent optional"):
        process_arguments(bare, {"x": None}, {})
    with pytest.raises(NodeError, match="enum"):
        process_arguments({"inputs": {"parameters": [{"name": "x", "enum": ["b"]}]}}, {"x": "a"}, {})


def test_a_simple_tag_of_an_absent_output_fails() -> None:
    with pytest.raises(NodeError, match="absent"):
        replace({"a": "x {{tasks.a.outputs.parameters.y}}"}, {"tasks.a.outputs.parameters.y": None})


@pytest.mark.parametrize(
    "text",
    ["{{workflow.nope}}", "{{steps.a.outputs.result}}", "{{tasks.a.outputs.result}}", "{{anything}}", "{{", "{{=f(1)}}",
     "{{=workflow.labels.x}}", "{{inputs.artifacts.x.path}}", "{{workflow.parameters}}", "{{=sprig.env('X')}}"],
)  # fmt: skip
def test_a_document_with_a_tag_outside_the_vocabulary_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedField, match=r"here\.a\[0\]"):
        check_tags({"a": [text]}, "here")


def test_json_with_nested_objects_is_not_taken_for_a_tag() -> None:
    check_tags({"manifest": '{"a":{"b":{"n":{{=asInt(workflow.parameters.n)}}}}}'}, "here")
