"""Recordings: finds a call's audio, waits until it is whole, and makes a link to it that nobody can guess."""
