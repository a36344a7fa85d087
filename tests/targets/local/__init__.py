"""Runs of the local engine: as a library, as a process, and on a terminal."""
