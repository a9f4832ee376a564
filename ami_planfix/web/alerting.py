"""What people are told is wrong now, for the command line and the page."""

from collections.abc import Callable, Sequence

from aiohttp import web

from ami_planfix.alerts.deciding import Alert
from ami_planfix.web.answers import json_answer


class Alerting:
    """Answers for the alerts."""

    def __init__(self, active: Callable[[], Sequence[Alert]]) -> None:
        self._active = active

    def routes(self) -> list[web.AbstractRouteDef]:
        """Tell what to serve."""
        return [web.get("/alerts", self.alerts)]

    async def alerts(self, _request: web.Request) -> web.Response:
        """Tell the alerts, oldest first."""
        return json_answer(200, {"alerts": rows(self._active())})


def rows(alerts: Sequence[Alert]) -> list[dict[str, object]]:
    """Write alerts down, each with the ways that have told of it."""
    return [
        {
            "trouble": alert.trouble.value,
            "since": alert.since,
            "words": alert.words,
            "told": sorted(way for way, stage in alert.heard.items() if stage is alert.stage),
        }
        for alert in alerts
    ]
