"""The PBX's wire: bytes in, events out."""
