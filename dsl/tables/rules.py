"""Rules for texts: how the platforms want their names to look.

A rule is a pattern for the whole text, and what a message says about it. The patterns are the platforms' own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RuleRow:
    """`what` completes "is …", `form` says more; `longest` counts characters, None where the pattern says it."""

    name: str
    what: str
    form: str
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
            "the name of a container image",
            "it is in lower case but for its tag",
            _IMAGE,
            None,
            "acme/train:2.5",
        ),
        RuleRow("word", "a word", "it is not empty, and has no blanks at its ends", r"\S(?:.*\S)?", 4096, "python3"),
        RuleRow(
            "path",
            "an absolute path",
            "it begins with `/`, and has no `:` and no `..` in it",
            r"/(?!/)(?!.*(?:^|/)\.{1,2}(?:/|$))[^:\0\n]*",
            4096,
            "/data",
        ),
        RuleRow(
            "mount",
            "an absolute path below `/`",
            "it begins with `/`, does not end with one, and has no `:` and no `..` in it",
            r"/(?!/)(?!.*(?:^|/)\.{1,2}(?:/|$))[^:\0\n]*[^:/\0\n]",
            4096,
            "/data",
        ),
        RuleRow(
            "bundle_file",
            "a file in the folder of the flow",
            "its path is relative, with `/` and without `..`",
            r"(?!/)(?!.*(?:^|/)\.{1,2}(?:/|$))[^\0\n\\]*[^/\0\n\\]",
            4096,
            "ds_config.json",
        ),
        # --- Kubernetes
        RuleRow(
            "k8s_name",
            "a Kubernetes name",
            "it is of lower-case letters, digits, `-` and `.`",
            _SUBDOMAIN,
            253,
            "gpu-jobs",
        ),
        RuleRow(
            # A name that is also written as the value of a label.
            "k8s_short_name",
            "a Kubernetes name of at most 63 characters",
            "it is of lower-case letters, digits, `-` and `.`",
            _SUBDOMAIN,
            63,
            "team-a",
        ),
        RuleRow(
            "k8s_key",
            "a key of Kubernetes",
            "it is of at most 63 letters, digits, `-`, `_` and `.`; a domain and `/` may stand before them",
            _LABEL_KEY,
            None,
            "example.com/team",
        ),
        RuleRow(
            "k8s_value",
            "the value of a label",
            "it is of at most 63 letters, digits, `-`, `_` and `.`",
            rf"(?:{_LABEL_NAME})?",
            63,
            "research",
        ),
        RuleRow(
            "k8s_resource",
            "an extended resource",
            "it is a domain, `/` and a name, and the domain is not Kubernetes' own",
            rf"(?!(?:[^/]*\.)?kubernetes\.io/)(?=.{{1,244}}/){_SUBDOMAIN}/{_LABEL_NAME}",
            None,
            "vpc.amazonaws.com/efa",
        ),
        RuleRow(
            "k8s_capability",
            "a Linux capability",
            "it is of capital letters and `_`, without `CAP_`",
            r"(?!CAP_)[A-Z][A-Z0-9_]*",
            63,
            "IPC_LOCK",
        ),
        RuleRow(
            "k8s_secret",
            "a secret's name and a key in it",
            "a `/` stands between the two",
            rf"(?=.{{1,253}}/){_SUBDOMAIN}/(?!\.\.?$)[-A-Za-z0-9_.]{{1,253}}",
            None,
            "hub-credentials/token",
        ),
        # --- AWS
        RuleRow(
            "batch_queue",
            "a Batch job queue",
            "it is a name or an ARN",
            rf"(?:{_ARN}:batch:[a-z0-9-]+:{_ACCOUNT}:job-queue/)?[A-Za-z0-9][A-Za-z0-9_-]{{0,127}}",
            None,
            "gpu-queue",
        ),
        RuleRow(
            "instance_type",
            "an EC2 instance type",
            "it is a family and a size, with a `.` between them",
            r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*\.[a-z0-9]+(?:-[a-z0-9]+)*",
            63,
            "p5.48xlarge",
        ),
        RuleRow(
            "iam_role",
            "an IAM role",
            "it is a name or an ARN",
            rf"{_ARN}:iam::{_ACCOUNT}:role/(?:[!-~]{{1,511}}/)?[A-Za-z0-9_+=,.@-]{{1,64}}|[A-Za-z0-9_+=,.@-]{{1,64}}",
            None,
            "flow-steps",
        ),
        RuleRow("share", "a share identifier", "it is of letters and digits", r"[A-Za-z0-9]+", 255, "research"),
        RuleRow(
            "log_group",
            "a CloudWatch log group",
            "its name is of letters, digits and `. - _ / #`",
            r"[.\-_/#A-Za-z0-9]+",
            512,
            "/flows/train",
        ),
        RuleRow(
            "tag_key",
            "a tag's key",
            "it is of at most 128 letters, digits, blanks and `_ . : / = + - @`, and does not begin with `aws:`",
            r"(?![Aa][Ww][Ss]:)[\w .:/=+@-]{1,128}",
            None,
            "team",
        ),
        RuleRow(
            "tag_value",
            "a tag's value",
            "it is of at most 256 letters, digits, blanks and `_ . : / = + - @`",
            r"[\w .:/=+@-]{0,256}",
            None,
            "research",
        ),
        RuleRow(
            "efs",
            "an EFS file system",
            "it is given by its id",
            r"fs-(?:[0-9a-f]{8}|[0-9a-f]{17})",
            None,
            "fs-0123456789abcdef0",
        ),
        RuleRow(
            "efs_access_point",
            "an EFS access point",
            "it is given by its id",
            r"fsap-[0-9a-f]{8,40}",
            None,
            "fsap-0123456789abcdef0",
        ),
        RuleRow(
            "aws_secret",
            "`name:key` or `ssm:/path`",
            "it is a key of a secret in Secrets Manager, or a parameter of the Parameter Store",
            r"ssm:/[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+){0,14}|(?!ssm:)[A-Za-z0-9/_+=.@-]{1,512}:[^:\0\n]{1,256}",
            None,
            "prod/hub:token",
        ),
        # --- this machine
        RuleRow(
            "env_name",
            "an environment variable",
            "its name is of letters, digits and `_`, not a digit first",
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
