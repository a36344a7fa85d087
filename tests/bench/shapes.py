"""Large flows of known shapes, without mistakes and without warnings. All need no file beside them."""

from __future__ import annotations

from collections.abc import Iterator

# Ten steps in every kind of block; `{n}` tells one group from the next, `{before}` is an int from the one before.
_GROUP = """
  ## Group {n}.
  step prepare_{n} {{
    in  size  = {before}
    in  label
    out parts: list[string]
    out total: int
    cpu = 2  memory = 4GiB
    run ["prepare", "--size", size, "--label", label, out.parts, out.total]
  }}

  foreach part_{n} in prepare_{n}.parts max 8 {{
    step clean_{n} {{
      in  part  = part_{n}
      out rows: file
      run ["clean", part, "--out=${{part}}", out.rows]
    }}
    step count_{n} {{
      in  rows = clean_{n}.rows
      out count: int
      run bash '''
        wc -l < "$in_rows" > "$out_count"
      '''
    }}
  }}

  step join_{n} parallel(2) {{
    in  files  = clean_{n}[*].rows
    in  counts = count_{n}[*].count
    out table: file
    out each seconds: float
    timeout = 2h
    run ["join", files, counts, out.table, out.seconds]
  }}

  if prepare_{n}.total > 10 and label != "dry" {{
    step large_{n} {{
      in  table = join_{n}.table
      out score: float
      run ["score", table, out.score]
    }}
  }} else {{
    step small_{n} {{
      in  times = join_{n}[*].seconds
      out score: float
      run ["guess", times, out.score]
    }}
  }}

  repeat max 5 {{
    step train_{n} parallel(2) {{
      in  start = previous(train_{n}.model, join_{n}.table)
      in  score = either(large_{n}.score, small_{n}.score)
      out model: file
      out loss: float
      gpu = 1
      torchrun {{ procs_per_node = 1 }}
      run ["-m", "package.train", start, score, out.model, out.loss]
    }}
    step measure_{n} {{
      in  model = train_{n}.model
      out good: bool
      run ["measure", model, out.good]
    }}
  }} until measure_{n}.good or train_{n}.loss < 0.1

  step ship_{n} {{
    in  model = train_{n}.model
    out next: int
    env LABEL = "group {n}"
    run ["ship", model, out.next]
  }}
  step note_{n} {{
    after ship_{n}
    run ["note", run.id]
  }}
"""
STEPS_PER_GROUP = 10


def mixed(steps: int) -> str:
    """A mix of everything, in groups that each read from the one before."""
    groups = range(steps // STEPS_PER_GROUP)
    texts = (_GROUP.format(n=n, before=f"ship_{n - 1}.next" if n else "3") for n in groups)
    return 'flow mixed {\n  param label: string = "x"\n' + "".join(texts) + "}\n"


def chain(steps: int) -> str:
    """Each step reads from the one before it."""
    return "flow chain {\n" + "".join(_links(steps)) + "}\n"


def _links(steps: int) -> Iterator[str]:
    yield '  step s0 {\n    out x: int\n    run ["first", out.x]\n  }\n'
    for n in range(1, steps):
        yield f'  step s{n} {{\n    in  x = s{n - 1}.x\n    out x: int\n    run ["next", x, out.x]\n  }}\n'


def backward_chain(steps: int) -> str:
    """The same, with the last step written first."""
    return "flow chain {\n" + "".join(reversed(list(_links(steps)))) + "}\n"


def diamonds(count: int) -> str:
    """Four steps each: one, two beside each other, and one that joins them; the next begins behind it."""
    texts = ['  step d0 {\n    out x: int\n    run ["start", out.x]\n  }\n']
    for n in range(1, count + 1):
        texts += [
            f'  step {side}_{n} {{\n    in  x = d{n - 1}.x\n    out x: int\n    run ["{side}", x, out.x]\n  }}\n'
            for side in ("left", "right")
        ]
        texts.append(
            f"  step d{n} {{\n    in  a = left_{n}.x\n    in  b = right_{n}.x\n    out x: int\n"
            '    run ["join", a, b, out.x]\n  }\n'
        )
    return "flow diamonds {\n" + "".join(texts) + "}\n"


def wide(steps: int) -> str:
    """All steps wait for the first one, and the last one waits for all."""
    middle = (f'  step w{n} {{\n    in  x = first.x\n    run ["work", x]\n  }}\n' for n in range(steps - 2))
    last = f'  step last {{\n    after {", ".join(f"w{n}" for n in range(steps - 2))}\n    run ["end"]\n  }}\n'
    first = '  step first {\n    out x: int\n    run ["start", out.x]\n  }\n'
    return "flow wide {\n" + first + "".join(middle) + last + "}\n"


def nested(depth: int) -> str:
    """Loops and conditions in each other, a step at the bottom that reads what surrounds it."""
    heads, tails = [], []
    for n in range(depth):
        indent = "  " * (n + 1)
        match n % 3:
            case 0:
                heads.append(f'{indent}foreach v{n} in ["a", "b"] {{')
                tails.append(f"{indent}}}")
            case 1:
                heads.append(f'{indent}if label != "{n}" {{')
                tails.append(f"{indent}}}")
            case _:
                heads.append(f"{indent}repeat max 2 {{")
                body = '  out done: bool  run ["turn", out.done]'
                tails.append(f"{indent}  step turn{n} {{{body} }}\n{indent}}} until turn{n}.done")
    variables = [f"v{n}" for n in range(0, depth, 3)]
    inputs = "".join(f"    in {name}\n" for name in ("label", *variables))
    bottom = f'  step bottom {{\n{inputs}    run ["work", label, {", ".join(variables)}]\n  }}'
    lines = [*heads, bottom, *reversed(tails)]
    return 'flow nested {\n  param label: string = "x"\n' + "\n".join(lines) + "\n}\n"
