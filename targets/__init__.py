"""Back ends. Each folder turns a `Build` into something that runs: a cloud's documents, or processes on this machine.

A document back end is three pure functions: `limits(build)`, `emit(build)` and `render(documents)`. The same build
gives the same bytes, whatever the clock, the environment or the hash seed. The back ends do not know each other.
"""
