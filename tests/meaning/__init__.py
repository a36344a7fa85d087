"""Two opinions on what a program means, its plan's and its syntax tree's: a short seeded run as a test, a long one by
`python -m tests.meaning`."""
