"""Measurements, run by hand with `scripts/bench`; pytest does not collect them."""
