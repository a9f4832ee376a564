"""What can be wrong between Planfix and us: caused, found, mended as advised."""

import ssl
import time
from email.utils import formatdate
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from ami_planfix.demo.planfix import broken, refuse, refuse_token
from ami_planfix.doctor import planfix, reach
from ami_planfix.doctor.finding import Sign
from tests.daemon_process import PBX_TOKEN
from tests.doctor.bed import Bed, site
from tests.ports import free_port


async def test_all_is_well(bed: Bed) -> None:
    async with bed.daemon():
        await bed.is_well("account", "last command", "reports")


async def test_an_account_that_is_not_known(bed: Bed) -> None:
    bed.sections["planfix"] = {"allowed_hosts": ["127.0.0.1"]}
    async with bed.daemon() as daemon:
        await bed.has(planfix.UNSET, "account")
        assert (await bed.planfix.setup(f"http://127.0.0.1:{daemon.server_port}/planfix", PBX_TOKEN))[0] == 200
        await bed.is_well("account")
    await bed.is_well("account")


async def test_a_host_that_has_no_address(bed: Bed) -> None:
    bed.sections["planfix"]["url"] = "https://company.planfix.invalid/tel/api"
    finding = await bed.has(planfix.DNS, "account")
    assert "getent hosts company.planfix.invalid" in finding.remedy
    bed.sections["planfix"]["url"] = bed.planfix.url
    await bed.is_well("account")


async def test_planfix_that_cannot_be_reached(bed: Bed) -> None:
    await bed.planfix.stop()
    await bed.has(planfix.AWAY, "account")
    await bed.planfix.start()
    await bed.is_well("account")


async def test_a_planfix_whose_certificate_nobody_trusts(
    bed: Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    async with site(web.Response(text="{}"), context) as port:
        bed.sections["planfix"]["url"] = f"https://localhost:{port}/tel/api"
        await bed.has(planfix.TLS, "account")
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert planfix.TLS.name not in await bed.faults("account")
        place = reach.Place.of(f"https://localhost:{port}")
        shown = await reach.connect(place)
        assert shown is not None
        assert shown.names == ("localhost",)


async def test_a_token_that_planfix_does_not_know(bed: Bed) -> None:
    bed.planfix.fault_for = lambda _: refuse_token()
    finding = await bed.has(planfix.TOKEN, "account")
    assert bed.planfix.token not in str(finding)
    bed.planfix.fault_for = lambda _: None
    await bed.is_well("account")


@pytest.mark.parametrize("fault", [refuse(), broken(404), broken(503)])
async def test_an_address_that_is_not_planfixs(bed: Bed, fault: object) -> None:
    bed.planfix.fault_for = lambda _: fault  # type: ignore[assignment,return-value]
    await bed.has(planfix.URL, "account")


async def test_planfix_has_another_token_of_the_pbx(bed: Bed) -> None:
    bed.planfix.pbx_token = "a-token-of-last-year"
    finding = await bed.has(planfix.OTHER_TOKEN, "account")
    assert PBX_TOKEN not in str(finding)
    assert "last-year" not in str(finding)
    bed.planfix.pbx_token = PBX_TOKEN
    await bed.is_well("account")


async def test_planfix_has_another_address_of_the_pbx(bed: Bed) -> None:
    ours = bed.planfix.pbx_url
    bed.planfix.pbx_url = "https://old.example.com/planfix"
    finding = await bed.has(planfix.OTHER_ADDRESS, "account")
    assert ours in finding.remedy
    bed.planfix.pbx_url = ours
    await bed.is_well("account")


@pytest.mark.parametrize("seconds", [-3600, 3600])
async def test_another_time_in_planfix(bed: Bed, seconds: int) -> None:
    bed.sections["ami"]["port"] = free_port()  # Asterisk's clock is another check
    late = web.Response(headers={"Date": formatdate(time.time() + seconds, usegmt=True)})
    async with site(late) as port:
        bed.sections["planfix"]["url"] = f"http://127.0.0.1:{port}/tel/api"
        finding = await bed.has(planfix.CLOCK, "clock")
        assert ("behind" in finding.found) == (seconds < 0)
    bed.sections["planfix"]["url"] = bed.planfix.url
    await bed.is_well("clock")


async def test_when_planfix_called_last_and_that_it_was_refused(bed: Bed) -> None:
    async with bed.daemon() as daemon:
        url = f"http://127.0.0.1:{daemon.server_port}/planfix"
        (before,) = await bed.findings("last command")
        assert before.sign is Sign.UNTRIED
        await bed.planfix.setup(url, PBX_TOKEN)
        (taken,) = await bed.findings("last command")
        assert taken.found.startswith("setup from 127.0.0.1")
        await bed.planfix.make_call(url, "a-wrong-token", "101", "79101234567")
        finding = await bed.has(planfix.REFUSED_COMMAND, "last command")
        assert "401" in finding.found
        await bed.planfix.setup(url, PBX_TOKEN)
        await bed.is_well("last command")


async def test_reports_that_planfix_refused(bed: Bed) -> None:
    bed.planfix.fault_for = lambda fields: refuse() if fields.get("cmd") == "event" else None
    async with bed.daemon() as daemon:
        await bed.call()
        await bed.planfix.wait_for(lambda received: any(one.fields["cmd"] == "event" for one in received))
        await bed.settled("dead")
        await bed.has(planfix.REPORTS_REFUSED, "reports")
        bed.planfix.fault_for = lambda _: None
        await bed.order("/deliveries/retry", {"ids": None})
        await bed.settled("delivered")
        await bed.is_well("reports")
        assert daemon.server_port


async def test_reports_that_wait(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    bed.planfix.fault_for = lambda fields: broken(503) if fields.get("cmd") == "event" else None
    monkeypatch.setattr(planfix, "LATE", -1.0)
    async with bed.daemon():
        await bed.call()
        await bed.settled("waiting")
        await bed.has(planfix.REPORTS_WAIT, "reports")


async def test_secrets_that_only_root_could_read_are_not_asked_for(bed: Bed) -> None:
    bed.sections["planfix"] = {}
    (bed.folder / "state.db").mkdir()
    (finding,) = await bed.findings("account")
    assert finding.sign is Sign.UNTRIED
    assert "sudo" in finding.found
