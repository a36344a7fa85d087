"""Small flows on every engine: the same values, the exact bytes, retries with a fresh gang, failures that fail."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from flowc.runtime import layout
from tests.engines.argo.cluster import Cluster
from tests.engines.aws.stack import Aws
from tests.targets.deployed import IMAGE, locally, node_environment, on_argo, on_sfn

pytestmark = pytest.mark.timeout(120)

HOSTILE = "{{workflow.name}} {{=1+1}} ${run} $(HOME) $$ 'q' \"d\" \\ \n\ty 1e-4 é😀 --x Ref::run"

DIAMOND = """
flow diamond {
  param text: string = "t"
  param xs: list[float] = [1.0, 2.5]

  step top {
    in text
    out said: string
    run ["python", "-c", "import sys; open(sys.argv[1], 'w').write(sys.argv[2])", out.said, text]
  }
  step left {
    in said = top.said
    out length: int
    run python \'\'\'
      from flowc.runtime import current
      current.outputs.length = len(current.inputs.said.encode())
    \'\'\'
  }
  step right parallel(2) {
    in xs
    after top
    out total: float
    run python \'\'\'
      from flowc.runtime import current
      if current.cluster.is_main:
          current.outputs.total = sum(current.inputs.xs) + current.cluster.num_nodes
    \'\'\'
  }
  step bottom {
    in length = left.length
    in total = right.total
    in said = top.said
    out both: list[string]
    run bash \'\'\' printf '["%s", "%s", "%s"]' "$in_length" "$in_total" "$FLOWC_STEP" > "$out_both" \'\'\'
  }
}
"""

# Node 1 of the first attempt fails; the marker lies outside the store, like a host that was bad once.
BAD_ONCE = """
flow bad_once {{
  step gang parallel(2) {{
    out who: string
    retries = {retries}
    retry_wait = 1s
    start_timeout = 30s
    run python \'\'\'
      import os, pathlib, sys, time
      from flowc.runtime import current
      marker = pathlib.Path({marker!r})
      if current.cluster.node_index == 1:
          marker.mkdir(exist_ok=True)
          (marker / current.attempt).touch()
          if len(list(marker.iterdir())) == 1:
              print("bad luck", flush=True)
              sys.exit(5)
      time.sleep(0.5)
      if current.cluster.is_main:
          current.outputs.who = current.attempt
    \'\'\'
  }}
}}
"""


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Aws]:
    with mock.patch.dict(os.environ), Aws(tmp_path / "aws", base_env=node_environment, seed=1) as opened:
        yield opened


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", base_env=IMAGE, clock_scale=0.1) as opened:
        yield opened


def flow(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    path = folder / "it.flow"
    path.write_text(text)
    return path


EXPECTED = {
    "top": {"said": HOSTILE},
    "left": {"length": len(HOSTILE.encode())},
    "right": {"total": 5.5},
    "bottom": {"both": [str(len(HOSTILE.encode())), "5.5", "bottom"]},
}


def test_a_diamond_with_a_gang_and_a_hostile_text_on_this_machine(tmp_path: Path) -> None:
    assert locally(flow(tmp_path, DIAMOND), tmp_path / "run", {"text": HOSTILE}) == EXPECTED


def test_a_diamond_with_a_gang_and_a_hostile_text_on_argo(tmp_path: Path, cluster: Cluster) -> None:
    deployed = on_argo(cluster, flow(tmp_path, DIAMOND), tmp_path)
    workflow = deployed.start({"text": HOSTILE})

    assert workflow.wait(60) == "Succeeded", workflow.describe()
    assert deployed.values(workflow) == EXPECTED


def test_a_diamond_with_a_gang_and_a_hostile_text_on_step_functions(tmp_path: Path, aws: Aws) -> None:
    deployed = on_sfn(aws, flow(tmp_path, DIAMOND), tmp_path)
    execution = deployed.start({"text": HOSTILE, "xs": [1, 2.5]}, "run-1")

    assert execution.wait(60) == "SUCCEEDED", execution.explain()
    assert deployed.values("run-1") == EXPECTED


def bad_once(tmp_path: Path, retries: int) -> Path:
    return flow(tmp_path, BAD_ONCE.format(retries=retries, marker=str(tmp_path / "marker")))


def attempts(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "marker").iterdir()}


def test_a_failed_gang_is_retried_by_a_fresh_jobset(tmp_path: Path, cluster: Cluster) -> None:
    deployed = on_argo(cluster, bad_once(tmp_path, retries=1), tmp_path)
    workflow = deployed.start({})

    assert workflow.wait(60) == "Succeeded", workflow.describe()

    [winner] = deployed.values(workflow)["gang"].values()
    assert winner in attempts(tmp_path)
    assert len(attempts(tmp_path)) == 2
    assert len({attempt.rsplit("-", 1)[0] for attempt in attempts(tmp_path)}) == 2, "two JobSets, two uids"


def test_a_resubmitted_batch_job_counts_from_one_again_and_meets_only_its_own_peers(tmp_path: Path, aws: Aws) -> None:
    deployed = on_sfn(aws, bad_once(tmp_path, retries=1), tmp_path)
    execution = deployed.start({}, "run-1")

    assert execution.wait(60) == "SUCCEEDED", execution.explain()

    names = attempts(tmp_path)
    assert len(names) == 2
    assert {name.rsplit("-", 1)[1] for name in names} == {"1"}, "Batch calls both of them attempt 1"
    [winner] = deployed.values("run-1")["gang"].values()
    assert winner in names


def test_a_gang_that_fails_for_good_fails_the_workflow_and_says_where(tmp_path: Path, cluster: Cluster) -> None:
    deployed = on_argo(cluster, bad_once(tmp_path, retries=0), tmp_path)
    workflow = deployed.start({})

    assert workflow.wait(60) == "Failed"

    [attempt] = attempts(tmp_path)
    record = deployed.store.get(layout.failure_key("bad_once", workflow.uid, "gang", attempt))
    assert record is not None
    told = json.loads(record)
    assert (told["node"], told["exit_code"], told["last_lines"]) == (1, 5, ["bad luck"])
    assert [jobset.deleted for jobset in cluster.jobsets] == [True], "the exit handler removes it"


def test_a_gang_that_fails_for_good_fails_the_execution_and_says_where(tmp_path: Path, aws: Aws) -> None:
    deployed = on_sfn(aws, bad_once(tmp_path, retries=0), tmp_path)
    execution = deployed.start({}, "run-1")

    assert execution.wait(60) == "FAILED"

    job = aws.batch.job("*gang*")
    assert "node 1: exit code 5" in job.nodes[0].output()
    assert job.nodes[0].exit_code == 5, "the main node ends with the culprit's code"
