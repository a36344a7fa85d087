"""Strings that some layer between here and a cluster is known to read as something else."""

from __future__ import annotations

HOSTILE = (
    "{{workflow.name}}", "{{=sprig.env('HOME')}}", "{{", "y", "n", "on", "null", "~", "1e-4", "08", "0x1f", "1_000",
    "2001-01-01", "", " ", "- a", "a: b", "#c", "'", '"', "\\", "a\nb", "a\n", "\ttab", "$(HOME)", "$$", "${x}",
    "${StoreBucket}", "Ref::run", "%{x}", "é", "\u2028", "\U0001f600", "\x1b[31m", "\x00", "flowc:default", "x" * 5000,
)
