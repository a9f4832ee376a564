"""Tests of the PBX's wire."""
