"""Tests, and the engines that execute what was compiled."""
