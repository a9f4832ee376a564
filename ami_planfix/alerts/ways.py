"""The ways by which people are told, as configured."""

from typing import Protocol

from ami_planfix.alerts.mail import Mail
from ami_planfix.alerts.message import Message
from ami_planfix.alerts.webhook import Webhook
from ami_planfix.config.alerting import Alerts


class Way(Protocol):
    """One of them."""

    @property
    def name(self) -> str:
        """Name it in the log."""

    async def send(self, message: Message) -> str:
        """Tell; return what came back. Raises AlertNotSent."""


def ways_of(section: Alerts) -> list[Way]:
    """Make those that are configured."""
    found: list[Way] = []
    if section.webhook is not None:
        found.append(Webhook(section.webhook))
    if section.mail is not None:
        found.append(Mail(section.mail))
    return found
