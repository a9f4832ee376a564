"""Connects an Asterisk PBX to the Planfix CRM."""

__version__ = "0.2.0"
