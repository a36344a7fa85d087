"""Small documents for the engine's own tests."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
SUBMIT = "arn:aws:states:::batch:submitJob.sync"
SIZE = [{"Type": "VCPU", "Value": "1"}, {"Type": "MEMORY", "Value": "64"}]


def container(*command: str, **more: Any) -> Json:
    """Properties of AWS::Batch::JobDefinition for a container job."""
    return {
        "Type": "container",
        "ContainerProperties": {"Image": "test", "Command": list(command), "ResourceRequirements": SIZE, **more},
    }


def gang(count: int, *command: str, **more: Any) -> Json:
    """Properties of AWS::Batch::JobDefinition for a multi-node job with one node range."""
    node = {"TargetNodes": "0:", "Container": container(*command, **more)["ContainerProperties"]}
    return {"Type": "multinode", "NodeProperties": {"NumNodes": count, "MainNode": 0, "NodeRangeProperties": [node]}}


def template(machine: Json, **definitions: Json) -> Json:
    """A template with one state machine, `Machine`, and a job definition per keyword."""
    jobs = {
        name: {"Type": "AWS::Batch::JobDefinition", "Properties": properties}
        for name, properties in definitions.items()
    }
    substitutions = {name: {"Ref": name} for name in definitions}
    return {
        "Parameters": {"JobQueue": {"Type": "String"}},
        "Resources": {
            **jobs,
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}},
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "Definition": machine,
                    "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                    "DefinitionSubstitutions": {**substitutions, "JobQueue": {"Ref": "JobQueue"}},
                },
            },
        },
    }


def submit(definition: str, **more: Any) -> Json:
    """A Task that submits a job under its definition's name and waits for it."""
    return {
        "Type": "Task",
        "Resource": SUBMIT,
        "Parameters": {
            "JobName": definition,
            "JobDefinition": f"${{{definition}}}",
            "JobQueue": "${JobQueue}",
            **more.pop("parameters", {}),
        },
        "ResultPath": None,
        **more,
    }


def chain(**states: Json) -> Json:
    """A machine that runs the states in the order given; a state with its own Next or End keeps it."""
    names = list(states)
    linked = {}
    for name, after in zip(names, [*names[1:], None], strict=True):
        own = {"Next", "End"} & set(states[name]) or states[name]["Type"] in ("Choice", "Fail", "Succeed")
        flow: Json = {} if own else {"Next": after} if after else {"End": True}
        linked[name] = {**states[name], **flow}
    return {"StartAt": names[0], "States": linked}
