from collections.abc import AsyncIterator

import pytest

from ami_planfix.errors import SetupRefused
from ami_planfix.planfix.account import Account, Credentials
from ami_planfix.planfix.messages import Setup
from ami_planfix.storage.database import Database
from ami_planfix.storage.schema import open_database
from ami_planfix.storage.settings import Settings

HOSTS = ("planfix.ru", "planfix.com")
SETUP = Setup("https://acme.planfix.ru/tel/api", "brought")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with await open_database(database_url) as database:
        yield database


async def account(database: Database, url: str | None = None, token: str = "") -> Account:
    account = Account(Settings(database), url, token, HOSTS)
    await account.load()
    return account


async def test_nothing_is_known_before_setup(database: Database) -> None:
    assert (await account(database)).credentials() is None


async def test_setup_is_used_at_once_told_to_who_listens_and_survives_a_restart(database: Database) -> None:
    first = await account(database)
    told: list[Credentials | None] = []
    first.listen(lambda: told.append(first.credentials()))
    assert await first.adopt(SETUP)
    expected = Credentials(SETUP.planfix_url, "brought")
    assert told == [expected]
    assert (await account(database)).credentials() == expected


async def test_a_new_token_of_the_same_account_replaces_the_old_one(database: Database) -> None:
    ours = await account(database)
    await ours.adopt(SETUP)
    await ours.adopt(Setup("https://ACME.planfix.ru./tel/api2", "newer"))
    assert ours.credentials() == Credentials("https://ACME.planfix.ru./tel/api2", "newer")


async def test_the_file_wins_where_it_has_something(database: Database) -> None:
    ours = await account(database, url="https://acme.planfix.ru/mine")
    await ours.adopt(SETUP)
    assert ours.credentials() == Credentials("https://acme.planfix.ru/mine", "brought")
    theirs = await account(database, "https://acme.planfix.ru/mine", "from file")
    assert theirs.credentials() == Credentials("https://acme.planfix.ru/mine", "from file")
    assert not await theirs.adopt(SETUP)


async def test_a_token_goes_to_no_other_host_than_it_came_with(database: Database) -> None:
    await (await account(database)).adopt(SETUP)
    moved = await account(database, url="https://other.planfix.ru/tel/api")
    assert moved.credentials() is None


@pytest.mark.parametrize("from_file", [True, False])
async def test_another_account_is_refused_until_the_first_is_forgotten(database: Database, from_file: bool) -> None:
    ours = await account(database, SETUP.planfix_url if from_file else None)
    if not from_file:
        await ours.adopt(SETUP)
    other = Setup("https://evil.planfix.ru/tel/api", "t")
    with pytest.raises(SetupRefused, match=r"belongs to the account at acme\.planfix\.ru"):
        await ours.adopt(other)
    await ours.forget()
    if not from_file:
        assert ours.credentials() is None
        assert await ours.adopt(other)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://evil.com/", "not among planfix.allowed_hosts"),
        ("https://evilplanfix.ru/", "not among planfix.allowed_hosts"),
        ("https://planfix.ru.evil.com/", "not among planfix.allowed_hosts"),
        ("http://acme.planfix.ru/tel/api", "must begin with https://"),
        ("http://127.0.0.1:80/tel/api", "not among planfix.allowed_hosts"),
        ("ftp://acme.planfix.ru/", "must begin with https://"),
        ("https://user@acme.planfix.ru/", "no user"),
        ("https://acme.planfix.ru/?a=b", "no query"),
        ("https://acme.planfix.ru/#a", "no #"),
        ("https://acme.planfix.ru\\@evil.com/", "characters"),
        ("https://evil.com\\.planfix.ru/", "characters"),
        ("https://acme.planfix.ru/ x", "characters"),
        ("https://acme.planfix.ru/\r\nx", "characters"),
        ("https://плaнфикс.planfix.ru/", "characters"),
        ("https://acme.planfix.ru:99999/", "no address"),
        ("https://[/", "no address"),
        ("https:///tel/api", "must begin with https://"),
        ("https://acme.planfix.ru/" + "x" * 1000, "too many"),
    ],
)
async def test_addresses_that_no_setup_may_name(database: Database, url: str, reason: str) -> None:
    ours = await account(database)
    with pytest.raises(SetupRefused, match=reason):
        await ours.adopt(Setup(url, "t"))
    assert ours.credentials() is None


@pytest.mark.parametrize("token", ["a\r\nb", "x" * 1001])
async def test_tokens_that_are_none(database: Database, token: str) -> None:
    with pytest.raises(SetupRefused, match="one line"):
        await (await account(database)).adopt(Setup(SETUP.planfix_url, token))


async def test_a_plain_address_of_this_machine_may_be_allowed(database: Database) -> None:
    ours = Account(Settings(database), allowed_hosts=["127.0.0.1"])
    assert await ours.adopt(Setup("http://127.0.0.1:8000/tel/api", "t"))
