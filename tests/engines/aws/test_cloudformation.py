"""Templates: what resolves to what, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from .cloudformation import Created, Deployment, TemplateError, job_definition_request
from .samples import chain, container, submit, template
from .stack import Aws


def resolved(value: str, parameters: Mapping[str, str] | None = None, more: str = "") -> Any:
    """What a YAML value becomes as a property of a resource."""
    text = f"""
AWSTemplateFormatVersion: 2010-09-09
Parameters: {{Name: {{Type: String, Default: n}}, Many: {{Type: CommaDelimitedList, Default: "a, b"}}}}
Conditions: {{IsN: !Equals [!Ref Name, n], NotN: !Not [!Condition IsN]}}
Mappings: {{Sizes: {{big: {{vcpus: "4"}}}}}}
Resources:
  Thing: {{Type: Test::Thing, Properties: {{Value: {value}}}}}
  Role: {{Type: AWS::IAM::Role, Properties: {{Policy: !Sub "${{Other.Arn}}"}}}}
  Other: {{Type: Test::Other}}
{more}
"""
    made: dict[str, Any] = {}

    def create(logical: str, kind: str, properties: dict[str, Any]) -> Created | None:
        made[logical] = properties
        return Created(f"ref-{logical}", {"Arn": f"arn-{logical}"}) if kind.startswith("Test::") else None

    Deployment(text, parameters or {}, stack_name="s", create=create).deploy()
    return made["Thing"].get("Value", "absent")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("!Ref Name", "n"),
        ("!Ref Many", ["a", "b"]),
        ("!Ref Other", "ref-Other"),
        ("!Ref Role", "s-Role"),
        ("!Ref AWS::Region", "us-east-1"),
        ("!Ref AWS::NoValue", "absent"),
        ("[1, !Ref AWS::NoValue]", [1]),
        ("!GetAtt Other.Arn", "arn-Other"),
        ('{"Fn::GetAtt": [Role, Arn]}', "arn:aws:iam::123456789012:role/s-Role"),
        ('!Sub "${AWS::Partition}:${Name}:${Other.Arn}:${Other}:${!Kept}"', "aws:n:arn-Other:ref-Other:${Kept}"),
        ('!Sub ["${a}-${Name}", {a: !Ref Other}]', "ref-Other-n"),
        ('!Join ["-", [a, !Ref Name]]', "a-n"),
        ("!If [IsN, 1, 2]", 1),
        ("!If [NotN, 1, !Ref AWS::NoValue]", "absent"),
        ('!Select [1, !Split [",", "a,b"]]', "b"),
        ("!FindInMap [Sizes, big, vcpus]", "4"),
    ],
)
def test_an_intrinsic_becomes_a_value(value: str, expected: object) -> None:
    assert resolved(value) == expected


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("!Ref Missing", "unresolved reference to 'Missing'"),
        ("!GetAtt Other.Nmae", "no attribute Nmae"),
        ('!Sub "${Missing}"', "unresolved reference"),
        ('!Sub "${Many}"', "not a text"),
        ("!ImportValue x", "Fn::ImportValue is not known"),
        ("{Ref: Name, Other: 1}", "beside other keys"),
        ("!If [Perhaps, 1, 2]", "no condition Perhaps"),
        ("!Ref Thing", "Circular dependency"),
        ("!FindInMap [Sizes, small, vcpus]", "finds no 'small'"),
        ("{a: 1, a: 2}", "appear twice"),
        ("{Yes: 1}", "are not texts"),
    ],
)
def test_what_leads_nowhere_is_refused_with_its_place(value: str, words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        resolved(value)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("Transform: AWS::Serverless-2016-10-31", "unknown sections"),
        ("  New: {Type: AWS::Lambda::Function}", "'AWS::Lambda::Function' is not known"),
        ("  New: {Type: Test::Thing, Propertys: {}}", "unknown attributes"),
        (
            "  New: {Type: Test::Thing, Properties: {V: !Ref Gone}}\n  Gone: {Type: Test::Thing, Condition: NotN}",
            "condition is false",
        ),
        ("  Bad: {Type: AWS::IAM::Role, Properties: {P: !Ref Missing}}", "unresolved reference"),
    ],
)
def test_an_unknown_part_of_a_template_is_refused(more: str, words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        resolved("1", more=more)


def test_parameters_are_checked() -> None:
    with pytest.raises(TemplateError, match="do not exist"):
        resolved("1", {"Nmae": "x"})
    text = json.dumps({"Parameters": {"A": {"Type": "String"}}, "Resources": {}})
    with pytest.raises(TemplateError, match="A must have a value"):
        Deployment(text, {}, stack_name="s", create=lambda *_: None)
    text = json.dumps({"Parameters": {"A": {"Type": "String", "AllowedValues": ["x"]}}, "Resources": {}})
    with pytest.raises(TemplateError, match="none of"):
        Deployment(text, {"A": "y"}, stack_name="s", create=lambda *_: None)


def test_a_job_definition_keeps_map_keys_and_changes_all_others() -> None:
    request = job_definition_request(
        {
            "Type": "multinode",
            "Parameters": {"Mixed_Case": "1"},
            "Tags": {"Team": "a"},
            "NodeProperties": {
                "NumNodes": "2",
                "MainNode": 0,
                "NodeRangeProperties": [
                    {
                        "TargetNodes": "0:",
                        "Container": {
                            "Image": "i",
                            "LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-group": "g"}},
                        },
                    }
                ],
            },
        },
        "name",
    )
    assert request["jobDefinitionName"] == "name"
    assert request["parameters"] == {"Mixed_Case": "1"}
    assert request["tags"] == {"Team": "a"}
    assert request["nodeProperties"]["numNodes"] == 2
    log = request["nodeProperties"]["nodeRangeProperties"][0]["container"]["logConfiguration"]
    assert log == {"logDriver": "awslogs", "options": {"awslogs-group": "g"}}


def test_a_misspelt_property_of_a_job_definition_is_refused() -> None:
    with pytest.raises(TemplateError, match="no member 'numNodes'"):
        job_definition_request({"Type": "multinode", "NodeProperties": {"numNodes": 2}}, "name")


def deploy(aws: Aws, machine: dict[str, Any], **properties: Any) -> None:
    data = template(machine, Work=container("true"))
    data["Resources"]["Machine"]["Properties"].update(properties)
    aws.deploy(json.dumps(data), {"JobQueue": aws.queue_arn})


def test_a_placeholder_without_substitution_is_refused(aws: Aws) -> None:
    with pytest.raises(TemplateError, match=r"without substitution: \$\{Wrok\}"):
        deploy(aws, chain(Work=submit("Wrok")))


def test_what_step_functions_refuses_inside_submit_job_is_refused(aws: Aws) -> None:
    with pytest.raises(TemplateError, match="no member 'jobName'"):
        deploy(aws, chain(Work=submit("Work", parameters={"jobName": "x"})))
    with pytest.raises(TemplateError, match="state names over 80"):
        deploy(aws, chain(**{"x" * 81: {"Type": "Succeed"}}))


def test_a_stack_deployed_again_runs_the_new_version(aws: Aws) -> None:
    for word in ("old", "new"):
        text = json.dumps(template(chain(Work=submit("Work")), Work=container("echo", word)))
        stack = aws.deploy(text, {"JobQueue": aws.queue_arn})
    assert stack.start().wait() == "SUCCEEDED"
    assert aws.batch.job("Work").nodes[0].output() == "new\n"
    assert [definition["revision"] for definition in aws.batch.definitions] == [1, 2]


def test_a_stack_shows_resolved_roles_and_outputs(aws: Aws) -> None:
    data = template(chain(Work=submit("Work")), Work=container("true"))
    data["Resources"]["Role"]["Properties"]["Start"] = {"Fn::Sub": "${Machine}"}  # roles may point back
    data["Outputs"] = {"Arn": {"Value": {"Ref": "Machine"}}}
    stack = aws.deploy(json.dumps(data), {"JobQueue": aws.queue_arn})
    assert stack.resources["Role"].properties["Start"] == stack.outputs["Arn"] == stack.machines["Machine"]
