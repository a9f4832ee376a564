"""Finds out, asks, and writes all that the daemon needs: its configuration, its user in Asterisk, its service."""
