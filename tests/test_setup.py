"""What Planfix has been told of us, compared with what is so."""

from collections.abc import AsyncIterator

import pytest
import structlog

from ami_planfix.demo.planfix import EmbeddedPlanfix, Fault
from ami_planfix.errors import SetupRefused
from ami_planfix.planfix.account import Account
from ami_planfix.planfix.messages import Ping, Setup
from ami_planfix.setup import SwitchOn, compare
from ami_planfix.storage.schema import open_database
from ami_planfix.storage.settings import Settings

TOKEN = "the-token-of-the-pbx"
OURS = "https://pbx.example.com"


@pytest.mark.parametrize(
    ("told", "event", "remedy"),
    [
        (Ping("another", f"{OURS}/planfix"), "planfix has another pbx token", "`server` / `token`"),
        (Ping("the-token", "https://old.example.com/planfix"), "planfix has another pbx address", "put ours"),
    ],
)
def test_what_planfix_has_wrong_is_said_with_its_remedy(told: Ping, event: str, remedy: str) -> None:
    with structlog.testing.capture_logs() as logs:
        compare(told, "the-token", OURS)
    (line,) = logs
    assert (line["event"], line["log_level"]) == (event, "warning")
    assert remedy in line["remedy"]
    assert "another" not in line.values()


@pytest.mark.parametrize(
    "told", [Ping("the-token", f"{OURS}/planfix"), Ping("the-token", f"{OURS}/planfix/"), Ping("", "")]
)
def test_what_is_right_or_not_told_is_not_spoken_of(told: Ping) -> None:
    with structlog.testing.capture_logs() as logs:
        compare(told, "the-token", OURS)
    assert logs == []


class TestAnotherAddress:
    """Whoever has the PBX's token could else send all reports to a page that takes anything."""

    @pytest.fixture
    async def account(self, database_url: str) -> AsyncIterator[Account]:
        async with await open_database(database_url) as database:
            account = Account(Settings(database), allowed_hosts=["127.0.0.1"])
            await account.load()
            yield account

    async def test_a_page_that_takes_anything_does_not_replace_planfix(self, account: Account) -> None:
        async with EmbeddedPlanfix(pbx_token=TOKEN) as planfix, EmbeddedPlanfix() as page:
            switch = SwitchOn(account, 5, lambda told: None)
            await switch.set_up(Setup(planfix.url, planfix.token))
            page.faults.append(Fault(200, b"<html>welcome"))
            with pytest.raises(SetupRefused, match=r"does not answer `ping` as Planfix does.*account forget"):
                await switch.set_up(Setup(page.url, page.token))
            known = account.credentials()
            assert known is not None
            assert known.url == planfix.url

    async def test_planfix_at_another_address_does(self, account: Account) -> None:
        async with EmbeddedPlanfix(pbx_token=TOKEN) as old, EmbeddedPlanfix(pbx_token=TOKEN) as new:
            switch = SwitchOn(account, 5, lambda told: None)
            await switch.set_up(Setup(old.url, old.token))
            await switch.set_up(Setup(new.url, new.token))
            known = account.credentials()
            assert known is not None
            assert known.url == new.url

    async def test_the_same_address_may_say_nothing(self, account: Account) -> None:
        async with EmbeddedPlanfix() as planfix:
            switch = SwitchOn(account, 5, lambda told: None)
            await switch.set_up(Setup(planfix.url, planfix.token))
            planfix.faults.append(Fault(200, b""))
            await switch.set_up(Setup(planfix.url, planfix.token))
