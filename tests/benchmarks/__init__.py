"""What the daemon costs, each figure beside a reference in the same run: `python -m tests.benchmarks --help`.

Commands, not tests: a machine that others use too makes times that no assertion should depend on. Processor time is
measured, not the clock (but for lags), rounds of ours and of the reference take turns, and what is told is the
median, of ratios the median of the pairs.
"""
