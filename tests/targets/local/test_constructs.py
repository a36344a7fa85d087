"""Every construct through the real runtime, with every way in which a body can end."""

from __future__ import annotations

import json
import re
import signal
import sys
import time

import pytest

from .support import Workplace, eventually

# What one attempt of the step `work` does; retries and timeout are what the mode needs.
BODY = """
    in mode
    out x: int
    retries = {retries}
    retry_wait = 0s
    timeout = 20s
    run bash '''
      printf 7 > "$out_x"
      tried="$ROOT/tried-$FLOWC_INDEX"
      case "$in_mode" in
        fail) echo it broke; exit 3;;
        killed) kill -9 $$;;
        lost) kill -9 $PPID; sleep 600;;
        flaky) [ -e "$tried" ] || {{ touch "$tried"; exit 9; }};;
        slow) sleep 600;;
      esac
    '''
"""

CONSTRUCTS = {
    "plain": "step work {{ {body} }}",
    "foreach": "foreach i in [1, 2] max 1 {{ step work {{ {body} }} }}",
    "if": "if yes {{ step work {{ {body} }} }} else {{ step other {{ run bash ''' exit 1 ''' }} }}",
    "repeat": "repeat max 2 {{ step work {{ {body} }} }} until work.x < 7",
    "gang": "step work parallel(nodes) {{ {body} }}",
    "nested": (
        "foreach i in [1] {{ if yes {{ repeat max 3 {{ step size {{ out n: int run bash ''' printf 2 > $out_n ''' }} "
        "step work parallel(size.n) {{ {body} }} }} until work.x == 7 }} }}"
    ),
}
PATHS = {
    "plain": [""],
    "foreach": ["[0]", "[1]"],
    "if": [""],
    "repeat": ["[0]", "[1]"],
    "gang": [""],
    "nested": ["[0][0]"],
}


def program(construct: str, retries: int = 0, timeout: str = "20s") -> str:
    body = BODY.format(retries=retries).replace("timeout = 20s", f"timeout = {timeout}")
    params = 'param mode: string = "ok" param yes: bool = true param nodes: int = 2'
    made = CONSTRUCTS[construct].format(body=body)
    last = "step last { after work run bash ''' echo last ''' }"
    final = "finally { step tell { in s = run.status in f = run.failed_step run bash ''' echo $in_s:$in_f. ''' } }"
    return f"flow demo {{ {params} {made} {last} {final} }}"


@pytest.fixture(autouse=True)
def root(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOT", str(place.root))


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_success(place: Workplace, construct: str) -> None:
    result = place.flow(program(construct))
    assert result.code == 0, result.out
    assert "last | last\n" in result.out
    assert "tell | succeeded:.\n" in result.out
    for path in PATHS[construct]:
        assert re.search(rf" work{re.escape(path)} +done in ", result.out), path
    assert place.end_record() | {"ended": ""} == {"version": 1, "status": "succeeded", "failed_step": "", "ended": ""}


@pytest.mark.parametrize("construct", CONSTRUCTS)
@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("fail", "exit code 3"),
        ("killed", "killed by SIGKILL"),
        ("lost", "without a report"),
        ("slow", "timed out after 1 s"),
    ],
)
def test_failure(place: Workplace, construct: str, mode: str, words: str) -> None:
    result = place.flow(program(construct, timeout="1s" if mode == "slow" else "20s"), f"mode={mode}")
    assert result.code == 1
    first = f"work{PATHS[construct][0]}"
    assert re.search(rf"^step '{re.escape(first)}'(, node \d)?: .*", result.out, re.MULTILINE), result.out
    assert words in result.out or (mode == "lost" and "node" in result.out)
    assert "last | " not in result.out
    assert "tell | failed:work.\n" in result.out, "finally runs, and knows what failed"
    assert (place.end_record()["status"], place.end_record()["failed_step"]) == ("failed", "work")


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_retry(place: Workplace, construct: str) -> None:
    # Of a gang one node finds that it has been there; the attempt is the whole gang's.
    result = place.flow(program(construct, retries=3), "mode=flaky")
    assert result.code == 0, result.out
    assert "attempt 2 of 4 in " in result.out
    assert "last | last\n" in result.out


# --- foreach ----------------------------------------------------------------------------------------------------------


def test_a_join_has_the_order_of_the_items_whatever_ends_first(place: Workplace) -> None:
    result = place.flow(
        """flow demo {
          foreach i in [3, 1, 2] {
            step wait { in i out x: int run bash ''' sleep 0.$in_i; printf $in_i > $out_x ''' cpu = 0.1 }
          }
          step all { in xs = wait[*].x run bash ''' cat $in_xs; echo ''' }
        }"""
    )
    assert result.code == 0, result.out
    assert "all | [3, 1, 2]\n" in result.out.replace("[3,1,2]", "[3, 1, 2]")
    assert re.search(r"wait\[\*\]\.x +int +3, 1, 2\n", result.out)
    assert "4 tasks done" in result.out


def test_max_counts_whole_iterations(place: Workplace) -> None:
    result = place.flow(
        """flow demo {
          foreach i in [0, 1, 2, 3] max 2 {
            step a { in i cpu = 0.1 run bash ''' date +%s.%N > $ROOT/begin-$in_i; sleep 0.2 ''' }
            step b { in i after a cpu = 0.1 run bash ''' sleep 0.2; date +%s.%N > $ROOT/end-$in_i ''' }
          }
        }"""
    )
    assert result.code == 0, result.out
    spans = [
        tuple(float((place.root / f"{word}-{item}").read_text()) for word in ("begin", "end")) for item in range(4)
    ]
    for begin, _ in spans:
        assert sum(other <= begin <= end for other, end in spans) <= 2


def test_a_large_foreach_says_how_far_it_is_and_not_each_task(place: Workplace) -> None:
    items = ", ".join(map(str, range(30)))
    text = f"flow demo {{ foreach i in [{items}] {{ step s {{ in i cpu = 0.1 run bash ''' exit $(($in_i == 7)) ''' "
    result = place.flow(text + 'allow_failure = true } } step end { after s run ["true"] } }', "jobs=4")
    assert result.code == 0, result.out
    assert "s[3]  started" not in result.out
    assert re.search(r" foreach i +15 of 30 done\n", result.out)
    assert len(re.findall(r" foreach i ", result.out)) == 10


def test_of_a_loop_in_a_foreach_the_last_turns_are_shown(place: Workplace) -> None:
    result = place.flow(
        """flow demo {
          foreach i in [5, 1] {
            repeat max 3 {
              step up { in x = previous(up.x, i) out x: int run bash ''' printf $(($in_x + 1)) > $out_x ''' }
            } until up.x > 6
          }
          foreach j in [1, 2, 3, 4] { step many { in j out x: int run bash ''' printf $in_j > $out_x ''' } }
        }"""
    )
    assert result.code == 0, result.out
    assert re.search(r"up\[\*\]\.x +int +7, 4\n", result.out)
    assert re.search(r"many\[\*\]\.x +int +1, 2, 3, … \(4 values\)\n", result.out)


# --- allow_failure, out each, gangs of decided size -------------------------------------------------------------------


def test_a_step_that_may_fail_is_read_through_either(place: Workplace) -> None:
    result = place.flow(
        """flow demo {
          foreach i in [1, 2, 3] {
            step try { in i out x: int allow_failure = true
              run bash ''' [ $in_i != 2 ]; printf $in_i > $out_x ''' }
          }
          step all { in xs = either(try.x, 0)[*] after try run bash ''' cat $in_xs; echo ''' }
        }"""
    )
    assert result.code == 0, result.out
    assert "all | [1, 0, 3]\n" in result.out.replace("[1,0,3]", "[1, 0, 3]")
    assert "failed, and the run goes on: exit code 1" in result.out
    assert "failed, which the flow allows: try\n" in result.out
    sealed = json.loads(next(place.root.glob(".flowc/store/demo/2*/try/1/commit.json")).read_text())
    assert sealed["status"] == "failed"
    assert place.end_record()["status"] == "succeeded"


def test_gangs_of_decided_sizes_in_a_loop(place: Workplace) -> None:
    result = place.flow(
        """flow demo {
          foreach n in [1, 3] {
            step gang parallel(n) { out each who: string cpu = 0.1
              run bash ''' printf "$FLOWC_NODE_INDEX of $FLOWC_NUM_NODES" > $out_who ''' }
          }
          step all { in who = gang[*][*].who run bash ''' cat $in_who; echo ''' }
        }"""
    )
    assert result.code == 0, result.out
    assert re.search(r" gang\[1\] +started \(3 nodes\)\n", result.out)
    [line] = [line for line in result.out.splitlines() if line.startswith("all | ")]
    assert len(json.loads(line.removeprefix("all | "))[1]) == 3
    assert sorted(path.name for folder in place.folders() for path in folder.glob("gang-1*.log")) == [
        f"gang-1.1.{node}.log" for node in range(3)
    ]


@pytest.mark.parametrize("size", ["0", "-1", "10001"])
def test_a_size_that_no_gang_can_have_fails_the_gang_before_a_node_starts(place: Workplace, size: str) -> None:
    text = "flow demo { param n: int step gang parallel(n) { retries = 3 retry_wait = 1m run bash ''' true ''' } }"
    result = place.flow(text, f"n={size}")
    assert result.code == 1
    assert f"step 'gang' should run on {size} nodes; a gang has from 1 to 10,000\n" in result.out
    assert place.logs() == {}
    assert place.end_record()["failed_step"] == "gang"


def test_a_wrong_size_in_an_arm_that_is_not_taken_does_no_harm(place: Workplace) -> None:
    text = "flow demo { param n: int if n > 0 { step gang parallel(n) { run bash ''' true ''' } } }"
    result = place.flow(text, "n=0")
    assert result.code == 0, result.out
    assert re.search(r" gang +not taken\n", result.out)


# --- settings of `on local`, secrets ----------------------------------------------------------------------------------


def test_on_local(place: Workplace) -> None:
    (place.root / "bin").mkdir()
    python = place.root / "bin/py"
    python.write_text(f'#!/bin/sh\nMARK=own exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    result = place.flow(
        """flow demo {
          on local { jobs = 1 }
          step a { cpu = 1000 on local { cpu = 0.1 python = "../bin/py" }
            run bash ''' echo "mark $MARK"; sleep 0.3 ''' }
          step b { cpu = 0.1 run bash ''' echo "mark $MARK" ''' }
        }"""
    )
    assert result.code == 0, result.out
    assert "a | mark own\n" in result.out
    assert "b | mark \n" in result.out
    assert "more cores" not in result.out
    lines = [line.split()[1:3] for line in result.out.splitlines() if re.match(r" +\d", line)]
    assert lines == [["a", "started"], ["a", "done"], ["b", "started"], ["b", "done"]], "one at a time"


def test_gpus_are_given_to_steps_by_name(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    text = "flow demo { step g parallel(2) { gpu = 1 cpu = 0.1 run bash ''' echo on $CUDA_VISIBLE_DEVICES ''' } }"
    result = place.flow(text)
    assert result.code == 0, result.out
    assert "g[0] | on 4\n" in result.out
    assert "g[1] | on 7\n" in result.out


# --- finally ----------------------------------------------------------------------------------------------------------


def test_a_failing_finally_step_fails_the_run_and_the_others_go_on(place: Workplace) -> None:
    result = place.flow(
        """flow demo {
          step a { run bash ''' true ''' }
          finally {
            step bad { run bash ''' exit 5 ''' }
            step after_bad { after bad run bash ''' echo never ''' }
            step good { cpu = 0.1 run bash ''' sleep 1; echo cleaned ''' }
          }
        }"""
    )
    assert result.code == 1
    assert "good | cleaned\n" in result.out
    assert "never" not in result.out
    assert place.end_record()["failed_step"] == "bad"


def test_a_failing_finally_step_does_not_hide_an_earlier_failure(place: Workplace) -> None:
    result = place.flow(
        "flow demo { step a { run bash ''' exit 4 ''' } finally { step bad { run bash ''' exit 5 ''' } } }"
    )
    assert result.code == 1
    assert place.end_record()["failed_step"] == "a"
    assert result.out.index("step 'a': exit code 4") < result.out.index("step 'bad': exit code 5")


def test_finally_comes_after_the_flows_timeout(place: Workplace) -> None:
    result = place.flow(
        """flow demo {
          timeout = 2s
          step slow { out x: int run bash ''' sleep 600 ''' }
          finally { step tell { in s = run.status in f = run.failed_step in x = either(slow.x, 5)
            run bash ''' sleep 1; echo $in_s:$in_f:$in_x ''' } }
        }"""
    )
    assert result.code == 1
    assert "tell | failed::5\n" in result.out


STOPPED = """flow demo {
  step slow { run bash ''' trap "" TERM; touch $ROOT/up; sleep 600; sleep 600 ''' }
  finally { step tell { in s = run.status run bash ''' touch $ROOT/final; sleep %s; echo $in_s ''' } }
}"""


def test_the_first_interrupt_ends_the_flow_and_finally_runs(place: Workplace) -> None:
    process = place.start_flow(STOPPED % "0.5")
    assert eventually(lambda: place.has("up"))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted by SIGINT: ending slow; then `finally` runs, and another signal ends it\n" in out
    assert "tell | failed\n" in out
    assert place.end_record()["status"] == "failed"


@pytest.mark.parametrize("wait_for", ["up", "final"])
def test_the_second_interrupt_ends_everything_at_once(place: Workplace, wait_for: str) -> None:
    process = place.start_flow(STOPPED % "600")
    assert eventually(lambda: place.has("up"))
    process.send_signal(signal.SIGTERM)
    assert wait_for == "up" or eventually(lambda: place.has("final"))
    time.sleep(0.2)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert time.monotonic() - began < 3
    assert process.returncode == 143
    assert place.processes() == []
    assert place.has("final") == (wait_for == "final")


def test_an_interrupt_during_finally_lets_it_come_to_its_end(place: Workplace) -> None:
    text = "flow demo { step a { run bash ''' true ''' } "
    text += "finally { step tell { run bash ''' touch $ROOT/final; sleep 1; echo told ''' } } }"
    process = place.start_flow(text)
    assert eventually(lambda: place.has("final"))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted by SIGINT: `finally` goes on; another signal ends it\n" in out
    assert "tell | told\n" in out
    assert place.end_record()["status"] == "succeeded"
