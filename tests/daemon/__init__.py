"""The daemon as its users start it, between a real Asterisk and an embedded Planfix."""
