"""Rules for texts: how the platforms want their names to look.

A rule is a pattern for the whole text, and what a message says about it. The patterns are the platforms' own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RuleRow:
    """`what` completes "is …"; `longest` counts characters, None where the pattern says it."""

    name: str
    what: str
    pattern: str
    longest: int | None
    example: str


# Kubernetes: names of objects are DNS-1123 subdomains; a part of such a name, a label's value, a label's key.
_SUBDOMAIN = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"
_LABEL_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL_KEY = rf"(?:(?=.{{1,253}}/){_SUBDOMAIN}/)?{_LABEL_NAME}"
_ARN = r"arn:aws(?:-[a-z]+)*"
_ACCOUNT = r"[0-9]{12}"
# The reference grammar of container images; a registry is told from a folder by a dot, a port or its name.
_IMAGE = (
    r"(?:(?=[^/]*[.:]|localhost/)[A-Za-z0-9](?:[-A-Za-z0-9.]*[A-Za-z0-9])?(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][-A-Za-z0-9_.]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)

RULES = {
    row.name: row
    for row in (
        RuleRow(
            "image",
            "the name of a container image, in lower case, with its tag or digest if it has one",
            _IMAGE,
            None,
            "acme/train:2.5",
        ),
        RuleRow("word", "not empty and has no blanks at its ends", r"\S(?:.*\S)?", 4096, "python3"),
        RuleRow(
            "path",
            "an absolute path, without `.` and `..` in it and with no `:`",
            r"/(?!/)(?!.*(?:^|/)\.{1,2}(?:/|$))[^:\0\n]*",
            4096,
            "/data",
        ),
        RuleRow(
            "mount",
            "an absolute path below `/`, without `.` and `..` in it and with no `:`",
            r"/(?!/)(?!.*(?:^|/)\.{1,2}(?:/|$))[^:\0\n]*[^:/\0\n]",
            4096,
            "/data",
        ),
        RuleRow(
            "bundle_file",
            "the path of a file in the folder of the flow",
            r"(?!/)(?!.*(?:^|/)\.{1,2}(?:/|$))[^\0\n\\]*[^/\0\n\\]",
            4096,
            "ds_config.json",
        ),
        # --- Kubernetes
        RuleRow("k8s_name", "a Kubernetes name: lower-case letters, digits, `-` and `.`", _SUBDOMAIN, 253, "gpu-jobs"),
        RuleRow(
            # A name that is also written as the value of a label.
            "k8s_short_name",
            "a Kubernetes name of at most 63 characters: lower-case letters, digits, `-` and `.`",
            _SUBDOMAIN,
            63,
            "team-a",
        ),
        RuleRow(
            "k8s_key",
            "the key of a label: letters, digits, `-`, `_` and `.`, at most 63, after an optional domain and `/`",
            _LABEL_KEY,
            None,
            "example.com/team",
        ),
        RuleRow(
            "k8s_value",
            "the value of a label: at most 63 letters, digits, `-`, `_` and `.`",
            rf"(?:{_LABEL_NAME})?",
            63,
            "research",
        ),
        RuleRow(
            "k8s_resource",
            "the name of an extended resource: a domain, `/` and a name, and the domain is not Kubernetes' own",
            rf"(?!(?:[^/]*\.)?kubernetes\.io/)(?=.{{1,244}}/){_SUBDOMAIN}/{_LABEL_NAME}",
            None,
            "vpc.amazonaws.com/efa",
        ),
        RuleRow("k8s_capability", "a Linux capability: capital letters and `_`", r"[A-Z][A-Z0-9_]*", 63, "IPC_LOCK"),
        RuleRow(
            "k8s_secret",
            "a secret's name and a key in it, with a `/` between them",
            rf"(?=.{{1,253}}/){_SUBDOMAIN}/(?!\.\.?$)[-A-Za-z0-9_.]{{1,253}}",
            None,
            "hub-credentials/token",
        ),
        # --- AWS
        RuleRow(
            "batch_queue",
            "the name or the ARN of a Batch job queue",
            rf"(?:{_ARN}:batch:[a-z0-9-]+:{_ACCOUNT}:job-queue/)?[A-Za-z0-9][A-Za-z0-9_-]{{0,127}}",
            None,
            "gpu-queue",
        ),
        RuleRow(
            "instance_type",
            "an EC2 instance type",
            r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*\.[a-z0-9]+(?:-[a-z0-9]+)*",
            63,
            "p5.48xlarge",
        ),
        RuleRow(
            "iam_role",
            "the name or the ARN of an IAM role",
            rf"{_ARN}:iam::{_ACCOUNT}:role/(?:[!-~]{{1,511}}/)?[A-Za-z0-9_+=,.@-]{{1,64}}|[A-Za-z0-9_+=,.@-]{{1,64}}",
            None,
            "flow-steps",
        ),
        RuleRow("share", "a share identifier: letters and digits", r"[A-Za-z0-9]+", 255, "research"),
        RuleRow(
            "log_group",
            "the name of a CloudWatch log group: letters, digits and `. - _ / #`",
            r"[.\-_/#A-Za-z0-9]+",
            512,
            "/flows/train",
        ),
        RuleRow(
            "tag_key",
            "a tag's key: at most 128 characters, not beginning with `aws:`",
            r"(?![Aa][Ww][Ss]:)[\w .:/=+@-]{1,128}",
            None,
            "team",
        ),
        RuleRow(
            "tag_value",
            "a tag's value: at most 256 letters, digits, blanks and `_ . : / = + - @`",
            r"[\w .:/=+@-]{0,256}",
            None,
            "research",
        ),
        RuleRow(
            "efs", "the id of an EFS file system", r"fs-(?:[0-9a-f]{8}|[0-9a-f]{17})", None, "fs-0123456789abcdef0"
        ),
        RuleRow(
            "efs_access_point", "the id of an EFS access point", r"fsap-[0-9a-f]{8,40}", None, "fsap-0123456789abcdef0"
        ),
        RuleRow(
            "aws_secret",
            "`name:key` for a key of a secret in Secrets Manager, or `ssm:/path` for a parameter",
            r"ssm:/[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+){0,14}|(?!ssm:)[A-Za-z0-9/_+=.@-]{1,512}:[^:\0\n]{1,256}",
            None,
            "prod/hub:token",
        ),
        # --- this machine
        RuleRow(
            "env_name",
            "the name of an environment variable: letters, digits and `_`, not a digit first",
            r"[A-Za-z_][A-Za-z0-9_]*",
            255,
            "HUB_TOKEN",
        ),
    )
}


def fits(rule: str, text: str) -> bool:
    """Whether a text obeys the rule of this name."""
    row = RULES[rule]
    return (row.longest is None or len(text) <= row.longest) and re.fullmatch(row.pattern, text) is not None
