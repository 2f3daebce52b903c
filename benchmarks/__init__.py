"""Benchmarks: what the method's choices cost, measured. One file per question, run as `python -m benchmarks.<name>`.

To add one: a file that prints JSON, with the conditions of the measurement in it.
"""
