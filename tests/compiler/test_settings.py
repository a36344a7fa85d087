"""Settings: the tables themselves, what a value may be, who wins, and what is said about the rest."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowc.compiler import settings
from flowc.compiler.settings import FlowSettings, StepSettings
from flowc.compiler.settings_text import shown
from flowc.compiler.settings_values import checked
from flowc.dsl import ast, tables
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.parse import parse
from flowc.dsl.spans import Source
from flowc.dsl.tables import SettingRow, fits
from flowc.dsl.version import VERSION
from flowc.runtime import plan
from flowc.runtime.plan import Json


def read(text: str) -> ast.Flow:
    file, diagnostics = parse(Source("t.flow", text))
    assert diagnostics == ()
    assert file is not None
    return file.flow


def step_of(
    step: str = "", *, head: str = "", defaults: str = "", flow: str = ""
) -> tuple[StepSettings, FlowSettings, list[Diagnostic]]:
    """What is known of a flow with one step."""
    tree = read(f'flow f {{ {flow} defaults {{ {defaults} }} step a {head} {{ {step} run ["x"] }} }}')
    say: list[Diagnostic] = []
    of_flow = settings.of_flow(tree, say)
    known = settings.defaults(tree, say)
    (node,) = tree.nodes
    assert isinstance(node, ast.Step)
    return settings.of_step(node, known, say), of_flow, say


def codes(say: list[Diagnostic]) -> list[str]:
    return [item.code for item in say]


def value_of(row: SettingRow, text: str) -> tuple[Json, list[Diagnostic]]:
    """What a row makes of a value as it is written."""
    tree = read(f"flow f {{ x = {text} }}")
    say: list[Diagnostic] = []
    return checked(row, tree.settings[0].value, say), say


# --- the tables -------------------------------------------------------------------------------------------------------


def rows() -> Iterator[tuple[str, SettingRow]]:
    """Every row of every table, with the path that names it; members of objects too."""
    top = [
        *(("step", row) for row in tables.SETTINGS.values()),
        *((name, row) for name, framework in tables.FRAMEWORKS.items() for row in framework.settings),
        *((f"on {name}", row) for name, target in tables.TARGETS.items() for row in target.settings),
        *(("secret", row) for row in tables.SECRETS.values()),
    ]
    for where, row in top:
        yield f"{where}: {row.name}", row
        for member in row.members:
            yield f"{where}: {row.name}.{member.name}", member


ROWS = dict(rows())
EVERY_ROW = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())


@EVERY_ROW
def test_no_setting_is_spelled_like_a_word_of_the_language(row: SettingRow) -> None:
    assert row.name not in tables.KEYWORDS | tables.RESERVED
    assert re.fullmatch(r"[a-z][a-z0-9_]*", row.name)


@EVERY_ROW
def test_a_setting_says_what_it_is_and_what_holds_without_it(row: SettingRow) -> None:
    assert row.doc
    assert not row.doc.endswith(".")
    choice = any(row.name in other.one_of for other in ROWS.values())
    is_secret = row in tables.SECRETS.values()
    if row.default is None and not row.required and not choice and not is_secret:
        assert row.otherwise
    else:
        assert row.default is None or not row.otherwise


@EVERY_ROW
def test_a_default_and_an_example_can_be_written(row: SettingRow) -> None:
    if row.default is not None:
        assert value_of(row, shown(row, row.default)) == (row.default, [])
    if row.example:
        value, say = value_of(row, row.example)
        assert say == []
        assert shown(row, value) == row.example


@EVERY_ROW
def test_a_row_describes_its_kind(row: SettingRow) -> None:
    assert bool(row.words) == (row.kind == "word") or row.kind == "numbers"
    assert bool(row.members) == (row.kind in ("object", "objects"))
    assert set(row.one_of) <= {member.name for member in row.members}
    for rule in filter(None, (row.rule, row.key_rule)):
        assert rule in tables.RULES
    if row.kind in ("int", "number", "size", "duration"):
        assert row.among or (row.least is not None and row.most is not None)


@pytest.mark.parametrize("rule", tables.RULES)
def test_a_rule_has_an_example_that_obeys_it(rule: str) -> None:
    assert fits(rule, tables.RULES[rule].example)
    assert any(rule in (row.rule, row.key_rule) for row in ROWS.values())


def test_names_are_unique_in_their_table() -> None:
    for name, target in tables.TARGETS.items():
        names = [row.name for row in target.settings]
        assert len(names) == len(set(names)), name
    for group in (*(row.members for row in ROWS.values()), *(row.settings for row in tables.FRAMEWORKS.values())):
        assert len({row.name for row in group}) == len(group)


def test_no_other_name_of_a_setting_is_a_setting_of_the_same_table() -> None:
    groups = [
        tuple(tables.SETTINGS.values()),
        tuple(tables.SECRETS.values()),
        *(row.settings for row in tables.FRAMEWORKS.values()),
        *(row.settings for row in tables.TARGETS.values()),
        *(row.members for row in ROWS.values()),
    ]
    for group in groups:
        names = {row.name for row in group}
        aliases = [alias for row in group for alias in row.aliases]
        assert not names & set(aliases)
        assert len(aliases) == len(set(aliases))


# --- values -----------------------------------------------------------------------------------------------------------

ARGO, SFN = tables.TARGETS["argo"], tables.TARGETS["sfn"]


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("step: cpu", "2", 2.0),
        ("step: cpu", "0.5", 0.5),
        ("step: memory", "16GiB", 16 << 30),
        ("step: timeout", "2h", 7200),
        ("step: cache", "true", True),
        ("step: image", '"localhost:5000/a/b_c:v1.0"', "localhost:5000/a/b_c:v1.0"),
        ("step: image", f'"acme/train@sha256:{"0" * 64}"', f"acme/train@sha256:{'0' * 64}"),
        ("deepspeed: launcher", '"pdsh"', "pdsh"),
        ("deepspeed: config", '"conf/zero.json"', "conf/zero.json"),
        (
            "mpi: args",
            '["--bind-to", "core", "--mca", "btl", "--mca", "btl"]',
            ["--bind-to", "core"] + ["--mca", "btl"] * 2,
        ),
        ("mpi: args", "[]", []),
        ("on argo: node_selector", '{ a = "b"  "x.io/c" = "" }', {"a": "b", "x.io/c": ""}),
        ("on argo: resources", '{ "vpc.amazonaws.com/efa" = 4 }', {"vpc.amazonaws.com/efa": 4}),
        (
            "on argo: volumes",
            '[{ read_only = true  path = "/data"  claim = "c" }, { memory = 1GiB  path = "/t" }]',
            [{"path": "/data", "claim": "c", "read_only": True}, {"path": "/t", "memory": 1 << 30}],
        ),
        ("on argo: tolerations", '[{ operator = "Exists" }]', [{"operator": "Exists"}]),
        ("on argo: security_context", "{ user = 0 }", {"user": 0}),
        ("on sfn: ulimits", "{ memlock = -1 }", {"memlock": -1}),
        (
            "on sfn: queue",
            '"arn:aws-cn:batch:cn-north-1:123456789012:job-queue/q"',
            "arn:aws-cn:batch:cn-north-1:123456789012:job-queue/q",
        ),
        ("on sfn: job_role", '"arn:aws:iam::123456789012:role/team/flow"', "arn:aws:iam::123456789012:role/team/flow"),
        ("on sfn: log_retention", "30d", 30 * 86400),
        ("on sfn: instance_type", '"u-6tb1.metal"', "u-6tb1.metal"),
        ("on sfn: instance_type", '"c7i-flex.large"', "c7i-flex.large"),
        ("secret: sfn", '"ssm:/prod/hub"', "ssm:/prod/hub"),
        ("secret: sfn", '"prod/hub:token"', "prod/hub:token"),
    ],
)
def test_a_value_is_taken(path: str, text: str, value: Json) -> None:
    assert value_of(ROWS[path], text) == (value, [])


@pytest.mark.parametrize(
    ("path", "text", "code", "place", "help_"),
    [
        ("step: cpu", '"4"', "F0403", '"4"', "write `4`"),
        ("step: memory", "16", "F0403", "16", "write `16GiB`"),
        ("step: timeout", "30", "F0403", "30", "write `30s`"),
        ("step: cache", '"true"', "F0403", '"true"', "write `true`"),
        ("step: cpu", "0", "F0404", "0", "write `0.001` or more"),
        ("step: gpu", "-1", "F0404", "-1", "write `0` or more"),
        ("step: retries", "2000", "F0404", "2000", "write `1000` or less"),
        ("step: cpu", "cores", "F0405", "cores", "settings are known when the flow is compiled"),
        ("step: image", "base", "F0405", "base", 'text stands in double quotes: "base"'),
        ("step: image", '"a:${tag}"', "F0405", '"a:${tag}"', "settings are known when the flow is compiled"),
        ("step: cpu", "either(1, 2)", "F0405", "either(1, 2)", "settings are known when the flow is compiled"),
        ("step: image", '" "', "F0410", '" "', "without the setting it is flowc's own"),
        ("step: image", '"Acme/Train"', "F0413", '"Acme/Train"', "for example `acme/train`"),
        ("deepspeed: launcher", '"pdhs"', "F0412", '"pdhs"', "did you mean `pdsh`?"),
        ("deepspeed: config", '"../zero.json"', "F0413", '"../zero.json"', "for example `ds_config.json`"),
        ("mpi: args", '"--bind-to"', "F0403", '"--bind-to"', 'write `["--bind-to"]`'),
        ("mpi: args", '["--bind-to", 3]', "F0403", "3", 'write `"3"`'),
        ("mpi: args", '["-np", "4"]', "F0418", '"-np"', "use the setting `procs_per_node`"),
        ("mpi: args", '["--hostfile", "h"]', "F0418", '"--hostfile"', "leave it out"),
        ("on argo: pull_secrets", '["a", "b", "a"]', "F0417", '"a"', "leave one out"),
        ("on argo: queue", '"Team_A"', "F0413", '"Team_A"', "for example `team-a`"),
        ("on argo: queue", f'"{"q" * 64}"', "F0413", f'"{"q" * 64}"', "for example `team-a`"),
        ("on argo: node_selector", '{ "a b" = "c" }', "F0413", '"a b"', "for example `example.com/team`"),
        ("on argo: node_selector", '{ a = "b c" }', "F0413", '"b c"', "for example `research`"),
        ("on argo: node_selector", "{ a = true }", "F0403", "true", 'write `"true"`'),
        (
            "on argo: resources",
            '{ "nvidia.com/gpu" = 1 }',
            "F0418",
            '"nvidia.com/gpu"',
            "use the setting `gpu` of the step",
        ),
        ("on argo: resources", "{ efa = 1 }", "F0413", "efa", "for example `vpc.amazonaws.com/efa`"),
        ("on argo: resources", '{ "a.io/b" = 0 }', "F0404", "0", "write `1` or more"),
        (
            "on argo: volumes",
            '[{ path = "/d"  claim = "c"  mode = 1 }]',
            "F0414",
            "mode",
            "its members: `path`, `claim`, `host_path`, `memory` and `read_only`",
        ),
        ("on argo: volumes", '[{ path = "/d"  pvc = "c" }]', "F0414", "pvc", "did you mean `claim`?"),
        ("on argo: volumes", '[{ claim = "c" }]', "F0415", '{ claim = "c" }', "add `path = …`: where it is mounted"),
        (
            "on argo: volumes",
            '[{ path = "/d" }]',
            "F0416",
            '{ path = "/d" }',
            "add one of `claim`, `host_path` or `memory`",
        ),
        (
            "on argo: volumes",
            '[{ path = "/d"  claim = "c"  memory = 1GiB }]',
            "F0416",
            "memory",
            "leave one of `claim`, `host_path` or `memory`",
        ),
        (
            "on argo: volumes",
            '[{ path = "/d"  claim = "c" }, { path = "/d"  claim = "d" }]',
            "F0417",
            '"/d"',
            "leave one out",
        ),
        ("on argo: volumes", '[{ path = "/a/../b"  claim = "c" }]', "F0413", '"/a/../b"', "for example `/data`"),
        ("on argo: volumes", '{ path = "/d"  claim = "c" }', "F0403", '{ path = "/d"  claim = "c" }', ""),
        (
            "on argo: tolerations",
            '[{ operator = "Exists"  value = "x" }]',
            "F0420",
            'value = "x"',
            "leave out one of the two",
        ),
        (
            "on argo: tolerations",
            '[{ value = "x" }]',
            "F0420",
            '{ value = "x" }',
            'add `operator = "Exists"`, or say the `key`',
        ),
        ("on argo: tolerations", '[{ key = "k"  stay = 5m }]', "F0420", "stay = 5m", 'add `effect = "NoExecute"`'),
        ("on argo: security_context", "{ user = 0  non_root = true }", "F0420", "user = 0", "name another user"),
        (
            "on sfn: volumes",
            '[{ path = "/d"  memory = 1GiB  access_point = "fsap-01234567" }]',
            "F0420",
            'access_point = "fsap-01234567"',
            "add `efs`",
        ),
        ("on sfn: ulimits", "{ memlok = -1 }", "F0412", "memlok", "did you mean `memlock`?"),
        ("on sfn: ulimits", "{ nofile = -2 }", "F0404", "-2", "write `-1` or more"),
        ("on sfn: log_retention", "2d", "F0419", "2d", None),
        ("on sfn: disk", "20GiB", "F0404", "20GiB", "write `21GiB` or more"),
        ("on sfn: instance_type", '"p5"', "F0413", '"p5"', "for example `p5.48xlarge`"),
        (
            "on sfn: job_role",
            '"arn:aws:iam::12:role/x"',
            "F0413",
            '"arn:aws:iam::12:role/x"',
            "for example `flow-steps`",
        ),
        ("on sfn: tags", '{ "aws:x" = "y" }', "F0413", '"aws:x"', "for example `team`"),
        ("on sfn: share", '"team-a"', "F0413", '"team-a"', "for example `research`"),
        ("secret: argo", '"hub:token"', "F0413", '"hub:token"', "for example `hub-credentials/token`"),
        ("secret: sfn", '"prod/hub"', "F0413", '"prod/hub"', "for example `prod/hub:token`"),
        ("secret: sfn", '"ssm:hub"', "F0413", '"ssm:hub"', "for example `prod/hub:token`"),
        ("secret: local", '"1X"', "F0413", '"1X"', "for example `HUB_TOKEN`"),
    ],
)
def test_a_value_is_refused_once_where_it_stands(
    path: str, text: str, code: str, place: str, help_: str | None
) -> None:
    value, say = value_of(ROWS[path], text)
    assert value is None
    (fault,) = say
    assert fault.span is not None
    start = len("flow f { x = ")
    assert (fault.code, text[fault.span.start - start : fault.span.end - start]) == (code, place)
    if help_ == "":
        assert fault.help == ()
    elif help_ is not None:
        assert fault.help[-1].endswith(help_)


def test_fifty_tags_are_taken_and_one_more_is_not() -> None:
    def tags(count: int) -> str:
        return "{ " + " ".join(f't{number} = "x"' for number in range(count)) + " }"

    assert value_of(ROWS["on sfn: tags"], tags(50))[1] == []
    assert codes(value_of(ROWS["on sfn: tags"], tags(51))[1]) == ["F0421"]


@given(st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,70}[a-z0-9])?", fullmatch=True))
def test_a_kubernetes_name_has_parts_that_begin_and_end_with_letters_or_digits(name: str) -> None:
    parts = name.split(".")
    good = len(name) <= 63 and all(part and part[0] != "-" and part[-1] != "-" for part in parts)
    assert fits("k8s_short_name", name) == good


# --- who wins ---------------------------------------------------------------------------------------------------------

AMOUNTS = {
    "cpu": ("1", "2", "0.5"),
    "memory": ("1GiB", "2GiB", "3GiB"),
    "gpu": ("0", "1", "8"),
    "timeout": ("1h", "2h", "1d"),
    "retries": ("0", "1", "5"),
    "allow_failure": ("false", "true", "false"),
    "cache": ("false", "true", "true"),
    "image": ('"a"', '"b"', '"c"'),
}
PLACES = st.dictionaries(st.sampled_from(sorted(AMOUNTS)), st.integers(0, 2))


def written(values: dict[str, int]) -> str:
    return " ".join(f"{name} = {AMOUNTS[name][choice]}" for name, choice in values.items())


@given(PLACES, PLACES)
def test_the_step_wins_over_defaults_and_these_over_the_tables(step: dict[str, int], defaults: dict[str, int]) -> None:
    known, _, say = step_of(written(step), defaults=written(defaults))
    assert say == []
    origins = {origin.name: origin for origin in known.origins}
    assert list(origins) == [origin.name for origin in known.origins] == list(tables.SETTINGS)
    for name, row in tables.SETTINGS.items():
        winner = step if name in step else defaults
        value = getattr(known.settings, name)
        if name in winner:
            text = AMOUNTS[name][winner[name]]
            assert value == value_of(row, text)[0]
            assert origins[name].value == text
            assert origins[name].origin == ("step" if name in step else "defaults")
            assert origins[name].span is not None
        elif name == "image":
            assert origins[name].origin == "computed"
        else:
            assert value == row.default
            assert (origins[name].origin, origins[name].span) == ("built-in", None)


ON = st.dictionaries(st.sampled_from(("queue", "priority", "platform")), st.integers(0, 2))


def on_sfn(values: dict[str, int]) -> str:
    texts = {"queue": ('"a"', '"b"', '"c"'), "priority": "123", "platform": ('"ec2"', '"fargate"', '"ec2"')}
    lines = " ".join(f"{name} = {texts[name][choice]}" for name, choice in values.items())
    return f"on sfn {{ {lines} }}" if values else ""


@given(ON, ON, ON)
def test_on_a_target_the_step_wins_over_defaults_and_these_over_the_flow(
    step: dict[str, int], defaults: dict[str, int], flow: dict[str, int]
) -> None:
    known, of_flow, say = step_of(on_sfn(step), defaults=on_sfn(defaults), flow=on_sfn(flow))
    assert say == []
    assert [item.name for item in of_flow.on] == [row.name for row in SFN.settings if row.name in flow]
    alone, _, _ = step_of(on_sfn({**flow, **defaults, **step}))
    assert [(item.name, item.value) for item in known.on] == [(item.name, item.value) for item in alone.on]
    for item in known.on:
        assert item.target == "sfn"
        place = "step" if item.name in step else "defaults" if item.name in defaults else "flow"
        assert item.origin == place
        assert f"sfn.{item.name}" in {origin.name for origin in known.origins}


def test_objects_are_replaced_whole() -> None:
    known, _, _ = step_of('on argo { labels = { b = "2" } }', defaults='on argo { labels = { a = "1" } }')
    assert [item.value for item in known.on] == [{"b": "2"}]


def test_what_only_the_flow_has_is_not_the_steps() -> None:
    known, of_flow, _ = step_of(flow='timeout = 2h on argo { max_tasks = 3  service_account = "s" }')
    assert known.settings.timeout is None
    assert of_flow.timeout == 7200
    assert [item.name for item in of_flow.on] == ["service_account", "max_tasks"]
    assert [item.name for item in known.on] == ["service_account"]


def test_a_value_that_cannot_be_used_leaves_the_one_below_it() -> None:
    known, _, say = step_of("retries = 2h", defaults="retries = 3")
    assert (known.settings.retries, codes(say)) == (3, ["F0403"])


def test_a_mistake_in_defaults_is_said_once_for_all_steps() -> None:
    tree = read('flow f { defaults { cpu = 0 } on argo { x = 1 } step a { run ["x"] } step b { cpu = 1 run ["x"] } }')
    say: list[Diagnostic] = []
    settings.of_flow(tree, say)
    known = settings.defaults(tree, say)
    for node in tree.nodes:
        assert isinstance(node, ast.Step)
        settings.of_step(node, known, say)
    assert codes(say) == ["F0401", "F0404"]


# --- frameworks, main -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "gpu", "framework"),
    [
        ("", 0, plan.Plain()),
        ("torchrun { }", 0, plan.Torchrun(1, 0, None)),
        ("torchrun { }", 8, plan.Torchrun(8, 0, None)),
        ("torchrun { procs_per_node = 2  max_restarts = 1  port = 2000 }", 8, plan.Torchrun(2, 1, 2000)),
        ("deepspeed { }", 4, plan.DeepSpeed(4, "torchrun", None)),
        ('deepspeed { launcher = "pdsh"  config = "c.json" }', 0, plan.DeepSpeed(1, "pdsh", "c.json")),
        ("tensorflow { chief = true }", 4, plan.TensorFlow(None, True)),
        ("ray { object_store_memory = 1GiB  dashboard = true  port = 7000 }", 4, plan.Ray(7000, True, 1 << 30)),
        ("mpi { }", 4, plan.Mpi(1, "openmpi", ())),
        ('mpi { implementation = "mpich"  args = ["-l"]  procs_per_node = 3 }', 0, plan.Mpi(3, "mpich", ("-l",))),
    ],
)
def test_a_framework_block_becomes_a_framework(block: str, gpu: int, framework: plan.Framework) -> None:
    known, _, say = step_of(f"gpu = {gpu} {block}", head="parallel(2)")
    assert say == []
    assert known.framework == framework
    name = block.partition(" ")[0]
    assert (known.block[0] if known.block else "") == name
    images = {"": "base", "torchrun": "torch"}
    assert known.settings.image == f"flowc/runtime:{VERSION}-{images.get(name, name)}"
    if name:
        wanted = [f"{name}.{row.name}" for row in tables.FRAMEWORKS[name].settings]
        assert [origin.name for origin in known.origins if "." in origin.name] == wanted


def test_the_number_of_processes_is_computed_from_the_gpus() -> None:
    known, _, _ = step_of("torchrun { }", head="parallel(2)", defaults="gpu = 4")
    origins = {origin.name: origin for origin in known.origins}
    procs = origins["torchrun.procs_per_node"]
    assert (procs.value, procs.origin) == ("4", "computed")
    assert origins["image"].origin == "computed"


def test_an_image_that_is_named_is_taken_under_every_framework() -> None:
    known, _, _ = step_of("torchrun { }", head="parallel(2)", defaults='image = "acme/train"')
    assert known.settings.image == "acme/train"


def test_main_has_the_steps_settings_but_for_its_own() -> None:
    known, _, say = step_of(
        "cpu = 8 gpu = 4 retries = 2 main { gpu = 0  memory = 1GiB } ray { }", head="parallel(4)", defaults="cpu = 2"
    )
    assert say == []
    assert known.main is not None
    assert (known.main.cpu, known.main.gpu, known.main.memory, known.main.retries) == (8.0, 0, 1 << 30, 2)
    assert known.main.image == known.settings.image
    assert (known.settings.gpu, known.settings.memory) == (4, 2 << 30)


@pytest.mark.parametrize(
    ("head", "lines", "code"),
    [
        ("", "torchrun { }", "F0504"),
        ("", "main { }", "F0424"),
        ("parallel(1)", "main { }", "F0425"),
        ("parallel(2)", "main { } main { }", "F0423"),
        ("parallel(2)", "main { timeout = 1h }", "F0401"),
        ("parallel(2)", "torchrun { } ray { }", "F0505"),
        ("parallel(2)", "toruchrun { }", "F0503"),
        ("parallel(2)", "torchrun { cpu = 2 }", "F0401"),
        ("", "on aws { }", "F0422"),
        ("", "on argo { } on argo { }", "F0423"),
        ("", "on argo { max_tasks = 3 }", "F0401"),
        ("", "on argo { cpu = 3 }", "F0401"),
        ("", "cpu = 1 cpu = 2", "F0402"),
    ],
)
def test_a_block_is_refused_once(head: str, lines: str, code: str) -> None:
    _, _, say = step_of(lines, head=head)
    assert codes(say) == [code]


def test_a_step_without_parallel_has_no_gang() -> None:
    known, _, _ = step_of("torchrun { } main { }")
    assert (known.framework, known.block, known.main) == (None, None, None)


@pytest.mark.parametrize(
    ("block", "remedy"),
    [
        ("resources { cpu = 2 }", "`cpu = 4`, `memory = 16GiB`"),
        ("retry { limit = 2 }", "`retries = 3`"),
        ("timeout { x = 2 }", "`timeout = 2h`"),
        ("cpu { x = 2 }", "`cpu = …`"),
        ("pytorch { }", "did you mean `torchrun`?"),
    ],
)
def test_what_is_a_block_elsewhere_and_settings_here(block: str, remedy: str) -> None:
    found = [item for item in step_of(block, head="parallel(2)")[2] if item.code == "F0503"]
    assert len(found) == 1
    assert remedy in found[0].help[0]


def test_a_gang_of_an_unknown_framework_has_none() -> None:
    known, _, _ = step_of("toruchrun { }", head="parallel(2)")
    assert known.framework is None
    assert known.block is not None


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("procs_per_node", "the block `torchrun { … }`, `deepspeed { … }` or in `mpi { … }`"),
        ("torchrun", "a block of its own: `torchrun { … }`"),
        ("queue", "`on argo { … }` or in `on sfn { … }`"),
        ("jobs", "`on local { … }`"),
    ],
)
def test_a_setting_in_the_wrong_place_is_told_its_own(name: str, place: str) -> None:
    _, _, say = step_of(f"{name} = 1")
    assert [item.help for item in say] == [(f"it stands in {place}",)]


def test_no_steps_settings_depend_on_another_step() -> None:
    kinds = ("", "cpu = 2", "on sfn { priority = 1 }")
    for lines in itertools.product(kinds, repeat=2):
        steps = " ".join(f'step s{number} {{ {line} run ["x"] }}' for number, line in enumerate(lines))
        tree = read(f"flow f {{ {steps} }}")
        known = settings.defaults(tree, [])
        nodes = [node for node in tree.nodes if isinstance(node, ast.Step)]
        forwards = [settings.of_step(node, known, []) for node in nodes]
        assert forwards == [settings.of_step(node, known, []) for node in reversed(nodes)][::-1]
        assert forwards[0] == settings.of_step(nodes[0], settings.defaults(tree, []), [])


# --- secrets ----------------------------------------------------------------------------------------------------------


def secrets_of(text: str) -> tuple[tuple[str | None, ...], list[str]]:
    say: list[Diagnostic] = []
    (secret,) = settings.secrets(read(f'flow f {{ {text} step a {{ run ["x"] }} }}'), say)
    return (secret.name, secret.argo, secret.sfn, secret.local), codes(say)


@pytest.mark.parametrize(
    ("entries", "found", "wanted"),
    [
        ('argo = "a/b"  sfn = "c:d"  local = "E"', ("a/b", "c:d", "E"), []),
        ('local = "E"', (None, None, "E"), []),
        ("", (None, None, None), []),  # for this machine, where the name in capitals is read
        ('aws = "c:d"', (None, None, None), ["F0401"]),
        ('argo = "a/b"  argo = "c/d"', ("a/b", None, None), ["F0402"]),
        ('argo = "a"', (None, None, None), ["F0413"]),
        ("argo = 3", (None, None, None), ["F0403"]),
        ("argo = name", (None, None, None), ["F0405"]),
    ],
)
def test_a_secret_says_where_it_lives(entries: str, found: tuple[str | None, ...], wanted: list[str]) -> None:
    assert secrets_of(f"secret hub {{ {entries} }}") == (("hub", *found), wanted)


# --- as a user would write them ---------------------------------------------------------------------------------------

TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=20)


@given(TEXT)
def test_a_shown_text_reads_as_itself(text: str) -> None:
    row = SettingRow("x", "string", None, "")
    assert value_of(row, shown(row, text)) == (text, [])


@given(st.dictionaries(TEXT.filter(bool), TEXT, max_size=4))
def test_a_shown_object_reads_as_itself(values: dict[str, str]) -> None:
    row = SettingRow("x", "texts", None, "")
    wanted: Json = dict(values)
    assert value_of(row, shown(row, wanted)) == (wanted, [])


@given(st.integers(0, 2**50), st.sampled_from(("size", "duration")))
def test_a_shown_amount_reads_as_itself(amount: int, kind: str) -> None:
    row = SettingRow("x", "size" if kind == "size" else "duration", None, "")
    text = shown(row, amount)
    if " " not in text:  # a size in bytes cannot be written
        assert value_of(row, text) == (amount, [])
