"""Random programs for the compiler: a short seeded run as a test, a long one by `python -m tests.fuzz.front_end`."""
