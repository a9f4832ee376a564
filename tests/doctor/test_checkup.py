"""All checks together: none stops another, each fault has a test, the documents tell all of them."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from ami_planfix.cli.doctor import doctor
from ami_planfix.doctor import checkup, host
from ami_planfix.doctor.checkup import AREAS, CHECKS, FAULTS, Check, examine
from ami_planfix.doctor.finding import Fault, Finding, Sign, well
from ami_planfix.doctor.patient import Patient, meet
from ami_planfix.doctor.reference import HEADING, reference
from tests.cli.running import ami_planfix
from tests.doctor.bed import Bed

ROOT = Path(__file__).parents[2]


class TestRunning:
    async def test_a_check_that_hangs_or_breaks_does_not_cost_the_others(
        self, bed: Bed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def hangs(_patient: Patient) -> AsyncIterator[Finding]:
            yield well("mount", "found")
            await asyncio.Event().wait()

        async def breaks(_patient: Patient) -> AsyncIterator[Finding]:
            yield well("before", "found")
            raise ValueError("what nobody thought of")

        async def goes_well(_patient: Patient) -> AsyncIterator[Finding]:
            yield well("other", "found")

        monkeypatch.setattr(checkup, "WITHIN", 0.05)
        checks = [Check("one", "mount", hangs), Check("two", "before", breaks), Check("three", "other", goes_well)]
        async with meet(bed.file, bed.write()) as patient:
            told = [one async for one in examine(patient, checks)]
        assert [(one.area, one.finding.what, one.finding.fault) for one in told] == [
            ("one", "mount", ""),
            ("one", "time", checkup.SLOW.name),
            ("two", "before", ""),
            ("two", "doctor", checkup.BROKEN.name),
            ("three", "other", ""),
        ]
        assert "what nobody thought of" in told[3].finding.found

    def test_one_of_several_daemons_is_named_in_what_is_advised(self) -> None:
        told = host.AWAY.found("it does not run")
        assert checkup.meant_for("ami-planfix", told) == told
        advised = checkup.meant_for("ami-planfix@office", told).remedy
        assert "`systemctl start ami-planfix@office`" in advised
        assert "`journalctl -u ami-planfix@office -n 20" in advised

    async def test_an_asterisk_that_falls_silent_does_not_hold_it_up(
        self, bed: Bed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checkup, "WITHIN", 0.2)
        bed.asterisk.silent = True
        found = await bed.findings(*(check.what for check in CHECKS if check.area == "Asterisk"))
        assert checkup.SLOW.name in [finding.fault for finding in found]


class TestCommand:
    async def test_all_is_well(self, bed: Bed) -> None:
        async with bed.daemon():
            result = await asyncio.to_thread(ami_planfix, "doctor", "-c", bed.file)
        assert "0 failed" in result.err
        assert result.status == 0
        for area in ("this machine", "Asterisk", "Planfix", "recordings"):
            assert f"\n{area}\n" in result.out

    async def test_what_failed_is_told_with_its_remedy_and_the_status(self, bed: Bed) -> None:
        bed.sections["ami"]["secret"] = "not-the-right-one"
        bed.write()
        done = await asyncio.to_thread(
            CliRunner().invoke, doctor, ["--json", "-c", str(bed.file)], standalone_mode=False
        )
        assert done.return_value == 1
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        (row,) = [row for row in rows if row["fault"] == "asterisk-login"]
        assert row["sign"] == "failed"
        assert row["remedy"]
        assert {"area", "what", "found"} <= row.keys()

    async def test_secrets_are_never_shown(self, bed: Bed) -> None:
        secrets = [bed.asterisk.secret, bed.planfix.token, str(bed.sections["server"]["token"])]
        bed.asterisk.secret = secrets[0] = bed.sections["ami"]["secret"] = "s3cret-of-ami"
        async with bed.daemon():
            for arguments in ([], ["--json"]):
                words = [*arguments, "-c", str(bed.file)]
                done = await asyncio.to_thread(CliRunner().invoke, doctor, words, catch_exceptions=False)
                assert done.output
                assert not [secret for secret in secrets if secret in done.output]

    def test_a_configuration_with_mistakes_is_told_first(self, tmp_path: Path) -> None:
        (tmp_path / "config.yaml").write_text("ami: {secrett: x}\n")
        result = ami_planfix("doctor", "-c", tmp_path / "config.yaml")
        assert result.status == 2
        assert "config.yaml:1" in result.err


class TestFaults:
    def test_each_has_a_name_of_its_own_and_a_remedy(self) -> None:
        every = [fault for faults in FAULTS.values() for fault in faults]
        assert [name for name, count in Counter(fault.name for fault in every).items() if count > 1] == []
        assert all(fault.remedy and fault.means and fault.sign in (Sign.FAILED, Sign.WARNING) for fault in every)

    def test_each_is_caused_by_a_test(self) -> None:
        tests = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
        modules = [module for several in AREAS.values() for module in several]
        named = [
            f"{module.__name__.rpartition('.')[2]}.{name}"
            for module in (*modules, checkup)
            for name, value in vars(module).items()
            if isinstance(value, Fault)
        ]
        assert [name for name in named if name not in tests] == []

    def test_the_documentation_tells_all_of_them(self) -> None:
        text = (ROOT / "docs/admin/doctor.md").read_text("utf-8")
        before, _, after = text.partition(HEADING)
        assert before.strip()
        assert HEADING + after == reference(), "run: python -m ami_planfix.doctor.reference docs/admin/doctor.md"
