"""Reads a CloudFormation template and resolves it as a deployment would.

Takes YAML (short tags too) or JSON text and parameter values; gives, through a caller's `create`, every resource with
its properties resolved, in dependency order. Refuses, as `TemplateError` with the path, what it does not know: other
sections, attributes, resource types, intrinsic functions, transforms, and references that lead nowhere. A test engine
that skipped the unknown would let a broken template pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from .batch_rules import service_model
from .conversion import UnknownMemberError, to_api

MAX_TEMPLATE_BYTES = 1024 * 1024  # CloudFormation quotas: template in S3
_SECTIONS = {
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Mappings",
    "Conditions",
    "Resources",
    "Outputs",
}
_ATTRIBUTES = {"Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy", "UpdateReplacePolicy"}
_NOTHING = object()  # AWS::NoValue

PASSIVE = {
    "AWS::IAM::Role": ("{name}", {"Arn": "arn:{partition}:iam::{account}:role/{name}", "RoleId": "AROA{name}"}),
    "AWS::IAM::Policy": ("{name}", {}),
    "AWS::IAM::ManagedPolicy": ("arn:{partition}:iam::{account}:policy/{name}", {}),
    "AWS::IAM::InstanceProfile": ("{name}", {"Arn": "arn:{partition}:iam::{account}:instance-profile/{name}"}),
    "AWS::Logs::LogGroup": ("{name}", {"Arn": "arn:{partition}:logs:{region}:{account}:log-group:{name}:*"}),
    "AWS::Scheduler::Schedule": ("{name}", {"Arn": "arn:{partition}:scheduler:{region}:{account}:schedule/{name}"}),
    "AWS::Scheduler::ScheduleGroup": ("{name}", {"Arn": "arn:{partition}:scheduler:{region}:{account}:group/{name}"}),
    "AWS::Events::Rule": ("{name}", {"Arn": "arn:{partition}:events:{region}:{account}:rule/{name}"}),
    "AWS::Batch::ComputeEnvironment": ("arn:{partition}:batch:{region}:{account}:compute-environment/{name}", {}),
    "AWS::EC2::SecurityGroup": ("sg-{name}", {"GroupId": "sg-{name}"}),
}
"""Resources that exist in name only: what `Ref` gives, and `Fn::GetAtt`."""


class TemplateError(Exception):
    """What CloudFormation would refuse, or what this engine does not know."""


@dataclass(frozen=True, slots=True)
class Created:
    """What `Ref` and `Fn::GetAtt` give for a resource."""

    ref: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resource:
    logical_id: str
    type: str
    properties: dict[str, Any]
    created: Created


Create = Callable[[str, str, dict[str, Any]], Created | None]
"""(logical id, type, resolved properties) -> what was made, or None for a type that the caller does not make."""


class _Loader(yaml.SafeLoader):
    """Short tags become long functions; dates and duplicate keys get no special treatment that hides a mistake."""


def _short_tag(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {name: value}


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [key.value for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise TemplateError(f"keys {sorted(twice)} appear twice, line {node.start_mark.line + 1}")
    mapping = loader.construct_mapping(node, deep=True)
    odd = [key for key in mapping if not isinstance(key, str)]
    if odd:  # YAML 1.1 reads Yes, No, On and Off as booleans
        raise TemplateError(f"keys {odd} are not texts, line {node.start_mark.line + 1}")
    return mapping


_Loader.add_multi_constructor("!", _short_tag)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.yaml_implicit_resolvers = {  # 2010-09-09 is a version, not a date
    first: [(tag, pattern) for tag, pattern in pairs if not tag.endswith(":timestamp")]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(text: str) -> dict[str, Any]:
    """The template as plain data, long functions only."""
    if len(text.encode()) > MAX_TEMPLATE_BYTES:
        raise TemplateError(f"template of {len(text.encode())} bytes; at most {MAX_TEMPLATE_BYTES}")
    try:
        data = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, _Loader)  # a SafeLoader
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        raise TemplateError(f"not a template: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("Resources"), dict):
        raise TemplateError("a template needs Resources")
    unknown = set(data) - _SECTIONS
    if unknown:
        raise TemplateError(f"unknown sections {sorted(unknown)}")
    return data


class Deployment:
    """One template with its parameter values. `deploy` makes everything; `resources` and `outputs` show it after."""

    def __init__(
        self,
        text: str,
        parameters: Mapping[str, str],
        *,
        stack_name: str,
        create: Create,
        region: str = "us-east-1",
        account: str = "123456789012",
        partition: str = "aws",
    ) -> None:
        self.template = load(text)
        self.stack_name = stack_name
        self.resources: dict[str, Resource] = {}
        self.outputs: dict[str, Any] = {}
        self._create = create
        self._names = {"region": region, "account": account, "partition": partition}
        self._pseudo = {
            "AWS::Region": region,
            "AWS::AccountId": account,
            "AWS::Partition": partition,
            "AWS::StackName": stack_name,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackId": f"arn:{partition}:cloudformation:{region}:{account}:stack/{stack_name}/0",
        }
        self._parameters = self._values(parameters)
        self._making: list[str] = []

    # -- parameters and conditions --------------------------------------------------------------------------------

    def _values(self, given: Mapping[str, str]) -> dict[str, Any]:
        declared = self.template.get("Parameters", {})
        unknown = set(given) - set(declared)
        if unknown:
            raise TemplateError(f"Parameters: {sorted(unknown)} do not exist in the template")
        values: dict[str, Any] = {}
        for name, spec in declared.items():
            if name not in given and "Default" not in spec:
                raise TemplateError(f"Parameters: {name} must have a value")
            value = str(given.get(name, spec.get("Default")))
            if "AllowedValues" in spec and value not in map(str, spec["AllowedValues"]):
                raise TemplateError(f"Parameters: {name}={value!r} is none of {spec['AllowedValues']}")
            if "AllowedPattern" in spec and re.fullmatch(spec["AllowedPattern"], value) is None:
                raise TemplateError(f"Parameters: {name}={value!r} does not match {spec['AllowedPattern']}")
            if spec["Type"] == "Number":
                float(value)
            if len(value) < int(spec.get("MinLength", 0)):
                raise TemplateError(f"Parameters: {name} is shorter than {spec['MinLength']}")
            as_list = spec["Type"] == "CommaDelimitedList" or spec["Type"].startswith("List<")
            values[name] = [item.strip() for item in value.split(",")] if as_list else value
        return values

    def condition(self, name: str) -> bool:
        conditions = self.template.get("Conditions", {})
        if name not in conditions:
            raise TemplateError(f"no condition {name}")
        return self._truth(conditions[name], f"Conditions.{name}")

    def _truth(self, value: Any, path: str) -> bool:
        if isinstance(value, dict) and len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Condition":
                return self.condition(argument)
            if function == "Fn::Equals":
                left, right = (self.resolve(item, path) for item in argument)
                return bool(left == right)
            if function == "Fn::Not":
                return not self._truth(argument[0], path)
            if function == "Fn::And":
                return all(self._truth(item, path) for item in argument)
            if function == "Fn::Or":
                return any(self._truth(item, path) for item in argument)
        raise TemplateError(f"{path}: {value!r} is no condition")

    # -- intrinsics -----------------------------------------------------------------------------------------------

    def resolve(self, value: Any, path: str) -> Any:
        """The value with every intrinsic function replaced; members that are AWS::NoValue are gone."""
        if isinstance(value, list):
            items = [self.resolve(item, f"{path}[{index}]") for index, item in enumerate(value)]
            return [item for item in items if item is not _NOTHING]
        if not isinstance(value, dict):
            return value
        functions = [key for key in value if key == "Ref" or str(key).startswith("Fn::")]
        if not functions:
            pairs = {key: self.resolve(item, f"{path}.{key}") for key, item in value.items()}
            return {key: item for key, item in pairs.items() if item is not _NOTHING}
        if len(value) != 1:
            raise TemplateError(f"{path}: {functions[0]} beside other keys {sorted(value)}")
        method = self._FUNCTIONS.get(functions[0])
        if method is None:
            raise TemplateError(f"{path}: {functions[0]} is not known to the test engine")
        return method(self, value[functions[0]], path)

    def _ref(self, name: Any, path: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._parameters:
            return self._parameters[name]
        return self._made(name, path).ref

    def _get_att(self, argument: Any, path: str) -> str:
        logical, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        attributes = self._made(logical, path).attributes
        if attribute not in attributes:
            raise TemplateError(f"{path}: {logical} has no attribute {attribute}; it has {sorted(attributes)}")
        return attributes[attribute]

    def _sub(self, argument: Any, path: str) -> str:
        text, local = (argument, {}) if isinstance(argument, str) else argument
        if not isinstance(text, str):
            raise TemplateError(f"{path}: Fn::Sub needs a text")
        values = {key: self.resolve(item, f"{path}.{key}") for key, item in local.items()}

        def one(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):  # ${!Literal} is ${Literal}
                return "${" + name[1:] + "}"
            value = (
                values[name]
                if name in values
                else (self._get_att(name, path) if "." in name else self._ref(name, path))
            )
            if not isinstance(value, str):
                raise TemplateError(f"{path}: {name} is not a text: {value!r}")
            return value

        return re.sub(r"\$\{([^}]*)\}", one, text)

    def _join(self, argument: Any, path: str) -> str:
        parts = self.resolve(argument[1], path)
        if not all(isinstance(part, str) for part in parts):
            raise TemplateError(f"{path}: Fn::Join of {parts!r}")
        return str(argument[0]).join(parts)

    def _if(self, argument: Any, path: str) -> Any:
        name, yes, no = argument
        return self.resolve(yes if self.condition(name) else no, path)

    def _select(self, argument: Any, path: str) -> Any:
        index, items = self.resolve(argument, path)
        if int(index) >= len(items):
            raise TemplateError(f"{path}: Fn::Select of {index} from {items!r}")
        return items[int(index)]

    def _split(self, argument: Any, path: str) -> list[str]:
        separator, text = self.resolve(argument, path)
        return list(text.split(separator))

    def _find_in_map(self, argument: Any, path: str) -> Any:
        first, second, third = self.resolve(argument, path)
        try:
            return self.template["Mappings"][first][second][third]
        except KeyError as error:
            raise TemplateError(f"{path}: Fn::FindInMap finds no {error}") from error

    _FUNCTIONS: Mapping[str, Callable[[Deployment, Any, str], Any]] = {
        "Ref": _ref,
        "Fn::GetAtt": _get_att,
        "Fn::Sub": _sub,
        "Fn::Join": _join,
        "Fn::If": _if,
        "Fn::Select": _select,
        "Fn::Split": _split,
        "Fn::FindInMap": _find_in_map,
    }

    # -- resources ------------------------------------------------------------------------------------------------

    def deploy(self) -> None:
        for logical in self.template["Resources"]:
            if self._wanted(logical):
                self._made(logical, "Resources")
        for logical, resource in list(self.resources.items()):
            if resource.type in PASSIVE:  # in name only so far: roles may point back at what uses them
                properties = self.resolve(self._spec(logical).get("Properties", {}), f"Resources.{logical}.Properties")
                self.resources[logical] = Resource(logical, resource.type, properties, resource.created)
        for name, output in self.template.get("Outputs", {}).items():
            if "Condition" not in output or self.condition(output["Condition"]):
                self.outputs[name] = self.resolve(output["Value"], f"Outputs.{name}")

    def _spec(self, logical: str) -> dict[str, Any]:
        spec: dict[str, Any] = self.template["Resources"][logical]
        unknown = set(spec) - _ATTRIBUTES
        if unknown:
            raise TemplateError(f"Resources.{logical}: unknown attributes {sorted(unknown)}")
        return spec

    def _wanted(self, logical: str) -> bool:
        spec = self._spec(logical)
        return "Condition" not in spec or self.condition(spec["Condition"])

    def _made(self, logical: Any, path: str) -> Created:
        """What the resource gives, making it first if it is not there yet."""
        if logical in self.resources:
            return self.resources[logical].created
        if logical not in self.template["Resources"]:
            raise TemplateError(f"{path}: unresolved reference to {logical!r}")
        if not self._wanted(logical):
            raise TemplateError(f"{path}: {logical} is not created, its condition is false")
        if logical in self._making:
            raise TemplateError(f"Circular dependency between resources: {' -> '.join([*self._making, logical])}")
        self._making.append(logical)
        spec = self._spec(logical)
        kind = spec.get("Type", "")
        if kind in PASSIVE:
            properties: dict[str, Any] = {}
            created = self._passive(logical, kind)
        else:
            after = spec.get("DependsOn", [])
            for other in [after] if isinstance(after, str) else after:
                self._made(other, f"Resources.{logical}.DependsOn")
            properties = self.resolve(spec.get("Properties", {}), f"Resources.{logical}.Properties")
            made = self._create(logical, kind, properties)
            if made is None:
                raise TemplateError(f"Resources.{logical}: {kind!r} is not known to the test engine")
            created = made
        self._making.remove(logical)
        self.resources[logical] = Resource(logical, kind, properties, created)
        return created

    def _passive(self, logical: str, kind: str) -> Created:
        ref, attributes = PASSIVE[kind]
        given = self._spec(logical).get("Properties", {})
        key = next(
            (
                key
                for key in (
                    "RoleName",
                    "LogGroupName",
                    "Name",
                    "PolicyName",
                    "ManagedPolicyName",
                    "ComputeEnvironmentName",
                )
                if key in given
            ),
            None,
        )
        name = f"{self.stack_name}-{logical}" if key is None else self.resolve(given[key], f"Resources.{logical}.{key}")
        names = {**self._names, "name": name}
        return Created(ref.format(**names), {att: text.format(**names) for att, text in attributes.items()})


def job_definition_request(properties: dict[str, Any], default_name: str) -> dict[str, Any]:
    """RegisterJobDefinition's request from AWS::Batch::JobDefinition's properties. Map keys are spelt verbatim; a text
    for an integer (a `Ref` to a Number parameter) becomes one, as CloudFormation does it."""
    shape = service_model().operation_model("RegisterJobDefinition").input_shape
    try:
        request = to_api({"JobDefinitionName": default_name, **properties}, shape)
    except UnknownMemberError as error:
        raise TemplateError(f"AWS::Batch::JobDefinition: {error}") from error
    coerced: dict[str, Any] = _coerce(request, shape)
    return coerced


def _coerce(value: Any, shape: Any) -> Any:
    if isinstance(value, dict) and shape.type_name == "structure":
        return {key: _coerce(item, shape.members[key]) for key, item in value.items()}
    if isinstance(value, dict) and shape.type_name == "map":
        return {key: _coerce(item, shape.value) for key, item in value.items()}
    if isinstance(value, list) and shape.type_name == "list":
        return [_coerce(item, shape.member) for item in value]
    if isinstance(value, str) and shape.type_name in ("integer", "long") and re.fullmatch(r"-?\d+", value):
        return int(value)
    if isinstance(value, str) and shape.type_name == "boolean" and value in ("true", "false"):
        return value == "true"
    return value
