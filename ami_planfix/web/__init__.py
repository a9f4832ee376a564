"""The two HTTP listeners: one for Planfix, one for this machine."""
