"""Tells people what stays wrong: once, and once when it is over."""
