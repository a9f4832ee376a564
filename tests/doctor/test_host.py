"""What can be wrong with the daemon and its files: caused, found, mended as advised."""

import os
from pathlib import Path

import pytest
import trustme

from ami_planfix.doctor import host, listeners
from ami_planfix.doctor.finding import Sign
from ami_planfix.doctor.patient import service
from tests.doctor.bed import Bed, myself, nobody

ALL = ("daemon", "parts", "configuration", "ports", "socket")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


async def test_all_is_well_while_it_runs(bed: Bed) -> None:
    async with bed.daemon():
        await bed.is_well(*ALL)


async def test_it_does_not_run(bed: Bed) -> None:
    await bed.has(host.AWAY, *ALL)
    assert {found.sign for found in await bed.findings("ports")} == {Sign.WELL}
    async with bed.daemon():
        await bed.is_well(*ALL)


async def test_another_version_runs(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bed.daemon():
        monkeypatch.setattr(host, "__version__", "9.9.9")
        await bed.has(host.OTHER_VERSION, *ALL)


async def test_the_configuration_was_changed_since(bed: Bed) -> None:
    async with bed.daemon():
        stamp = bed.file.stat().st_mtime + 60
        os.utime(bed.file, (stamp, stamp))
        await bed.has(host.NOT_RELOADED, *ALL)
        os.utime(bed.file, (stamp - 120, stamp - 120))
        await bed.is_well(*ALL)


async def test_it_only_looks_on(bed: Bed) -> None:
    async with bed.daemon(observe=True):
        await bed.has(host.OBSERVES, "daemon", "configuration", "ports")
    async with bed.daemon():
        await bed.is_well("daemon")


async def test_a_part_that_is_not_well(bed: Bed) -> None:
    await bed.planfix.stop()
    async with bed.daemon():
        await bed.call()
        await bed.waits_for_planfix()
        finding = await bed.has(host.UNWELL, "parts")
        assert finding.found.startswith("planfix: ")
        await bed.planfix.start()


async def test_the_account_is_missing(bed: Bed) -> None:
    bed.nobody_known = True
    finding = await bed.has(host.NO_USER, "user")
    assert "useradd --system --no-create-home ami-planfix" in finding.remedy
    bed.nobody_known = False
    await bed.is_well("user")


class TestFiles:
    @pytest.mark.parametrize("mode", [0o644, 0o664, 0o660, 0o646])
    async def test_a_configuration_that_others_can_read_or_change(self, bed: Bed, mode: int) -> None:
        bed.write()
        bed.file.chmod(mode)
        finding = await bed.has(host.OPEN, "configuration")
        assert f"chmod 640 {bed.file}" in finding.remedy
        bed.file.chmod(0o640)
        await bed.is_well("configuration")

    async def test_a_secret_of_its_own_that_others_can_read(self, bed: Bed) -> None:
        secret = bed.folder / "token"
        secret.write_text("a-long-random-word")
        secret.chmod(0o644)
        bed.sections["server"]["token_file"] = str(secret)
        del bed.sections["server"]["token"]
        finding = await bed.has(host.OPEN, "configuration")
        assert str(secret) in finding.remedy
        assert "a-long-random-word" not in str(finding)
        secret.chmod(0o640)
        await bed.is_well("configuration")

    @as_root
    async def test_a_configuration_that_the_daemon_cannot_read(self, bed: Bed) -> None:
        bed.user = nobody()
        bed.write()
        await bed.has(host.CLOSED, "configuration")
        os.chown(bed.file, 0, bed.user.gid)
        await bed.is_well("configuration")

    async def test_files_that_the_service_does_not_see(self, bed: Bed) -> None:
        assert (await bed.findings("service"))[0].sign is Sign.UNTRIED
        unit = bed.folder / "etc/systemd/system/ami-planfix.service"
        unit.parent.mkdir(parents=True)
        unit.write_text("[Service]\nType=notify\n")
        bed.sections["recordings"]["directory"] = "/home/pbx/monitor"
        finding = await bed.has(host.HOME, "service")
        assert "recordings.directory" in finding.remedy
        bed.sections["recordings"]["directory"] = str(bed.folder / "monitor")
        await bed.is_well("service")

    def test_one_of_several_daemons_has_the_template_and_what_was_changed_for_it_alone(self, tmp_path: Path) -> None:
        for place, text in (
            ("lib/systemd/system/ami-planfix@.service", "User=ami-planfix"),
            ("etc/systemd/system/ami-planfix@office.service.d/recordings.conf", "SupplementaryGroups=asterisk"),
            ("etc/systemd/system/ami-planfix@branch.service.d/recordings.conf", "SupplementaryGroups=others"),
        ):
            (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / place).write_text(f"[Service]\n{text}\n")
        assert service(tmp_path, "ami-planfix@office") == {"User": ["ami-planfix"], "SupplementaryGroups": ["asterisk"]}
        assert service(tmp_path) == {}


class TestPorts:
    async def test_a_port_that_is_anothers_while_the_daemon_runs(self, bed: Bed) -> None:
        async with bed.daemon():
            taken = bed.sections["admin"]["listen"]
            bed.apart()
            bed.sections["admin"]["listen"] = taken
            async with bed.daemon():
                finding = await bed.has(listeners.TAKEN, "ports")
                assert "admin.listen" in finding.remedy
                assert f"({os.getpid()}) has it" in finding.found
        bed.sections["admin"]["listen"] = bed.free()
        async with bed.daemon():
            await bed.is_well("ports")

    async def test_a_port_that_is_anothers_before_the_daemon_runs(self, bed: Bed) -> None:
        async with bed.daemon():
            bed.sections["admin"]["socket"] = str(bed.folder / "second.sock")
            assert await bed.faults("ports") == [listeners.TAKEN.name] * 3
        await bed.is_well("ports")

    async def test_a_port_that_is_not_for_us(self, bed: Bed) -> None:
        bed.sections["contacts"]["fastagi"] = "192.0.2.7:4583"
        finding = await bed.has(listeners.TAKEN, "ports")
        assert "contacts.fastagi" in finding.remedy

    async def test_nobody_has_a_port_that_is_free(self) -> None:
        assert listeners.holder_of(1) == ""

    async def test_a_port_that_is_free_and_not_listened_at(self, bed: Bed) -> None:
        certificate = trustme.CA().issue_cert("localhost")
        key = bed.folder / "privkey.pem"
        bed.sections["server"]["tls"] = {"certificate": str(bed.folder / "chain.pem"), "private_key": str(key)}
        certificate.cert_chain_pems[0].write_to_path(bed.folder / "chain.pem")
        async with bed.daemon():
            finding = await bed.has(listeners.SHUT, "ports")
            assert str(key) in finding.found
            (closed,) = await bed.findings("public address")
            assert closed.sign is Sign.UNTRIED
        certificate.private_key_pem.write_to_path(key)
        async with bed.daemon():
            await bed.is_well("ports")

    async def test_a_socket_that_the_daemon_cannot_make(self, bed: Bed) -> None:
        right = bed.sections["admin"]["socket"]
        bed.sections["admin"]["socket"] = str(bed.folder / "nowhere/control.sock")
        async with bed.daemon():
            finding = await bed.has(listeners.SOCKET, "daemon", "ports", "socket", "public address")
            assert "nowhere/control.sock" in finding.found
        bed.sections["admin"]["socket"] = right
        async with bed.daemon():
            await bed.is_well("daemon", "ports", "socket")

    async def test_a_socket_that_a_dead_daemon_left_is_no_fault_of_its_own(self, bed: Bed) -> None:
        (bed.folder / "control.sock").touch()
        await bed.has(host.AWAY, "daemon", "socket", "public address")


async def test_it_is_told_whom_the_daemon_runs_as(bed: Bed) -> None:
    async with bed.daemon():
        finding = (await bed.findings("daemon"))[0]
    assert f"runs as {myself().name}" in finding.found
