"""The embedded Planfix answers as the vendor documents; what is tested with it is worth as much as it."""

import pytest
from aiohttp import ClientSession, web

from ami_planfix.calls.reports import Outcome, Stage
from ami_planfix.demo import planfix as embedded
from ami_planfix.demo.planfix import EmbeddedPlanfix
from ami_planfix.planfix.messages import event_form
from tests.making import report


async def post(planfix: EmbeddedPlanfix, fields: dict[str, str]) -> tuple[int, str]:
    async with ClientSession() as session, session.post(planfix.url, data=fields) as answer:
        return answer.status, await answer.text()


GOOD = event_form(report(Stage.COMPLETED, outcome=Outcome.MISSED))


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 200),
        ({"planfix_token": "wrong"}, 401),
        ({"cmd": "what"}, 400),
        ({"type": "inside"}, 400),
        ({"event": "RINGING"}, 400),
        ({"event": "INCOMING"}, 400),
        ({"status": "Busy"}, 400),
        ({"type": "out"}, 400),
        ({"duration": "-1"}, 400),
        ({"is_recorded": "yes"}, 400),
        ({"ext": ""}, 400),
        ({"phone": ""}, 400),
        ({"callid": ""}, 400),
    ],
)
async def test_events_are_taken_if_they_are_as_documented(change: dict[str, str], status: int) -> None:
    async with EmbeddedPlanfix() as planfix:
        found, body = await post(planfix, {**GOOD, "planfix_token": planfix.token, **change})
        assert found == status
        assert (
            body
            == {
                200: "",
                400: '{"error": "Invalid parameters"}',
                401: '{"error": "Invalid token"}',
            }[status]
        )
        assert planfix.events() == (["COMPLETED 101 Missed"] if status == 200 else [])


async def test_it_comes_back_at_the_same_address() -> None:
    async with EmbeddedPlanfix() as planfix:
        before = planfix.url
        await planfix.stop()
        await planfix.start()
        assert planfix.url == before


async def test_a_fault_is_for_one_request_and_a_rule_for_all() -> None:
    async with EmbeddedPlanfix() as planfix:
        ping = {"cmd": "ping", "planfix_token": planfix.token}
        planfix.faults.append(embedded.broken())
        assert [(await post(planfix, ping))[0] for _ in range(2)] == [500, 200]
        planfix.fault_for = lambda fields: embedded.refuse() if fields["cmd"] == "ping" else None
        assert [(await post(planfix, ping))[0] for _ in range(2)] == [400, 400]


async def test_waiting_ends_when_it_came_or_with_the_limit() -> None:
    async with EmbeddedPlanfix() as planfix:
        with pytest.raises(TimeoutError):
            await planfix.wait_for(bool, limit=0.01)
        await post(planfix, {"cmd": "ping", "planfix_token": planfix.token})
        await planfix.wait_for(lambda received: len(received) == 1)


async def test_it_calls_a_pbx_as_planfix_does() -> None:
    came: list[dict[str, object]] = []

    async def pbx(request: web.Request) -> web.Response:
        came.append(dict(await request.post()))
        return web.json_response({"error": "Invalid token"}, status=401)

    app = web.Application()
    app.router.add_post("/planfix", pbx)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/planfix"
    async with EmbeddedPlanfix() as planfix:
        assert await planfix.make_call(url, "t", "101", "79101234567") == (401, '{"error": "Invalid token"}')
        await planfix.setup(url, "t")
        assert came == [
            {"cmd": "makeCall", "from": "101", "to": "79101234567", "token": "t"},
            {"cmd": "setup", "token": "t", "planfix_token": planfix.token, "planfix_url": planfix.url},
        ]
    await runner.cleanup()
