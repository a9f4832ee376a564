"""What the administrator wrote, checked as a whole."""

from ami_planfix.config.load import EVERYTHING, FOR_CALLS, Examined, examine, load
from ami_planfix.config.model import Config
from ami_planfix.config.problems import Problem

__all__ = ["EVERYTHING", "FOR_CALLS", "Config", "Examined", "Problem", "examine", "load"]
