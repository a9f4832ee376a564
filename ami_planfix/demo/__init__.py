"""The embedded peers: an Asterisk that plays captures, a Planfix that receives."""
