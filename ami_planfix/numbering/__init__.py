"""Whose is a channel, and what is a number: the directory that the tracker asks (pure)."""

from ami_planfix.numbering.directory import Numbering
from ami_planfix.numbering.numbers import PhoneNumbers

__all__ = ["Numbering", "PhoneNumbers"]
