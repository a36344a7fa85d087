"""The language: text in, syntax tree and diagnostics out. Knows nothing of targets or of running."""
