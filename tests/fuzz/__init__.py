"""Hostile input to everything that listens or reads, by a seed: `python -m tests.fuzz [TARGET...] --seconds 60`."""
