"""The CloudFormation template: everything deployable of a flow, with the least rights.

Takes the state machine's text and the job definitions; gives the template as plain data. Parameters: the job queue's
ARN and the store's bucket and prefix, with defaults where the compiler was told the store. Compute environments,
queues and the bucket are the user's own and outlive any flow.
"""

from __future__ import annotations

from typing import Any

from flowc.compiler.model import Build
from flowc.targets.yaml_text import Block

from . import marks, names
from .emit_jobs import Doc, JobDefinition
from .marks import Marked
from .store import Location

# Resources of the template besides job definitions.
FIXED_RESOURCES = 5

LOG_DAYS = 90

# Members of RegisterJobDefinition whose keys are data and keep their spelling; all others get a capital letter.
_MAPS = frozenset({"options", "tags"})


def template(build: Build, machine_text: str, jobs: tuple[JobDefinition, ...], location: Location | None) -> Doc:
    flow = build.plan.flow
    source, version = names.plain(build.source_name), names.plain(build.version)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Flow {flow} from {source}, compiled by flowc {version}",
        "Parameters": _parameters(location),
        "Resources": {
            "LogGroup": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": LOG_DAYS}},
            "ExecutionRole": _role("ecs-tasks.amazonaws.com", _execution_rights()),
            "JobRole": _role("ecs-tasks.amazonaws.com", _job_rights(flow)),
            "MachineRole": _role("states.amazonaws.com", _machine_rights(flow)),
            **{job.logical_id: _job(job) for job in jobs},
            "StateMachine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "StateMachineType": "STANDARD",
                    "RoleArn": {"Fn::GetAtt": ["MachineRole", "Arn"]},
                    "DefinitionString": Block(machine_text),
                    "DefinitionSubstitutions": marks.substitutions(marks.marks_in(machine_text)),
                    "Tags": [{"Key": "flowc:flow", "Value": flow}],
                },
            },
        },
        "Outputs": {"StateMachine": {"Description": "Start runs of this", "Value": {"Ref": "StateMachine"}}},
    }


def _parameters(location: Location | None) -> Doc:
    bucket, prefix = ({}, {}) if location is None else ({"Default": location.bucket}, {"Default": location.prefix})
    return {
        "JobQueue": {
            "Type": "String",
            "Description": "ARN of the Batch job queue; gangs need a queue on EC2, neither Fargate nor Spot",
            "AllowedPattern": "arn:[a-z-]+:batch:[a-z0-9-]+:[0-9]+:job-queue/.+",
        },
        "StoreBucket": {"Type": "String", "Description": "Bucket of the artifact store", **bucket},
        "StorePrefix": {
            "Type": "String",
            "Description": "Where the store begins in its bucket: empty, or a prefix that ends in a slash",
            "AllowedPattern": "([A-Za-z0-9!_.*()-]+/)*",
            **(prefix or {"Default": ""}),
        },
    }


def _job(job: JobDefinition) -> Doc:
    return {
        "Type": "AWS::Batch::JobDefinition",
        # A changed definition has another name, so CloudFormation replaces it. Executions that run meanwhile still
        # submit the old one, which must not be deregistered under them.
        "UpdateReplacePolicy": "Retain",
        "DeletionPolicy": "Delete",
        "Properties": _properties(job.request),
    }


def _properties(value: Any) -> Any:
    """A request of the API in CloudFormation's spelling, with marks as intrinsic functions."""
    if isinstance(value, Marked):
        return marks.intrinsic(value)
    if isinstance(value, list):
        return [_properties(item) for item in value]
    if not isinstance(value, dict):
        return value
    members: Doc = {}
    for key, item in value.items():
        inner = {name: _properties(text) for name, text in item.items()} if key in _MAPS else _properties(item)
        members[key[0].upper() + key[1:]] = inner
    return members


def _role(service: str, statements: list[Doc]) -> Doc:
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [
                {"PolicyName": "flowc", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}},
            ],
        },
    }


def _allow(actions: list[str], *resources: Any) -> Doc:
    return {"Effect": "Allow", "Action": actions, "Resource": list(resources)}


def _arn(text: str) -> Doc:
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{text}"}


def _execution_rights() -> list[Doc]:
    """Pull images, write logs."""
    here = "${AWS::Region}:${AWS::AccountId}"
    return [
        _allow(["ecr:GetAuthorizationToken"], "*"),  # it knows no resources
        _allow(
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            _arn("ecr:${AWS::Region}:*:repository/*"),
        ),
        _allow(["logs:CreateLogStream", "logs:PutLogEvents"], _arn(f"logs:{here}:log-group:${{LogGroup}}:*")),
    ]


def _job_rights(flow: str) -> list[Doc]:
    """The flow's own part of the store."""
    return [
        _allow(
            ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
            _arn(f"s3:::${{StoreBucket}}/${{StorePrefix}}{flow}/*"),
        ),
        # Without it S3 answers "forbidden" instead of "not found", and the runtime asks for objects that may not be
        # there. A condition on the prefix would not hold for such a question.
        _allow(["s3:ListBucket"], _arn("s3:::${StoreBucket}")),
    ]


def _machine_rights(flow: str) -> list[Doc]:
    batch = "batch:${AWS::Region}:${AWS::AccountId}"
    events = "events:${AWS::Region}:${AWS::AccountId}"
    return [
        # By pattern: a list of all definitions would outgrow a role's 10,240 characters. No other flow's definition
        # matches, since names hold no dash.
        _allow(["batch:SubmitJob"], _arn(f"{batch}:job-definition/{flow}-*"), {"Ref": "JobQueue"}),
        _allow(["batch:TerminateJob", "batch:TagResource"], _arn(f"{batch}:job/*")),
        _allow(["batch:DescribeJobs"], "*"),  # it knows no resources
        # The managed rule by which `.sync` learns that a job has ended.
        _allow(
            ["events:PutTargets", "events:PutRule", "events:DescribeRule"],
            _arn(f"{events}:rule/StepFunctionsGetEventsForBatchJobsRule"),
        ),
        _allow(["s3:PutObject"], _arn(f"s3:::${{StoreBucket}}/${{StorePrefix}}{flow}/*/input.json")),
    ]
