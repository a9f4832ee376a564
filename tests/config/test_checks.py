"""Keys that contradict each other."""

from pathlib import Path

import pytest

from ami_planfix.config import EVERYTHING, examine

TWO = "numbering: {employees: [{extension: 101, %s}, {extension: 102, %s}]}"
SERVER = "server: {public_url: https://pbx.example.com, token: 0123456789abcdef, %s}"


def problems(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "config.yaml"
    file.write_text("ami: {secret: word}\n" + text)
    return [str(problem).removeprefix(f"{file}:2: ") for problem in examine(file, EVERYTHING, {}).problems]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "numbering: {employees: [{extension: 101}, {extension: '101'}]}",
            "numbering.employees[1].extension: this extension is given twice,"
            " first in numbering.employees[0].extension",
        ),
        (
            TWO % ("mobiles: [89161234567]", "mobiles: [+7 916 000-00-00, +7 916 123-45-67]"),
            "numbering.employees[1].mobiles[1]: this mobile is given twice, first in numbering.employees[0].mobiles[0]",
        ),
        (
            TWO % ("devices: [PJSIP/x]", "devices: [pjsip/X]"),
            "numbering.employees[1].devices[0]: this device is given twice, first in numbering.employees[0].devices[0]",
        ),
        (
            "trunks: [{channel: SIP/x}, {channel: SIP/x}]",
            "trunks[1].channel: this channel is given twice, first in trunks[0].channel",
        ),
        (
            "dids: [{number: 84951230000}, {number: 74951230000}]",
            "dids[1].number: this number is given twice, first in dids[0].number",
        ),
        (
            SERVER % "listen: '0.0.0.0:8443'",
            "server.listen: 0.0.0.0:8443 is open to others without TLS; allowed: server.tls with a certificate;"
            " behind a proxy: a loopback address, or server.trusted_proxies",
        ),
        (
            SERVER % "listen: '127.0.0.1:8093'",
            "server.listen: port 8093 is that of admin.listen as well; allowed: a port for each",
        ),
        (
            SERVER % "trusted_proxies: [192.0.2.1], listen: '0.0.0.0:4583'",
            "server.listen: port 4583 is that of contacts.fastagi as well; allowed: a port for each",
        ),
    ],
)
def test_a_contradiction_is_told(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, text) == [problem]


def test_a_device_that_is_a_trunk_as_well_is_told(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "ami: {secret: word}\ntrunks: [{channel: PJSIP/x}]\n"
        "numbering: {employees: [{extension: 101, devices: [PJSIP/x]}]}\n"
    )
    (problem,) = examine(file, EVERYTHING, {}).problems
    assert (problem.line, problem.wrong) == (3, "is a trunk as well")


@pytest.mark.parametrize(
    "text",
    [
        SERVER % "listen: '127.0.0.1:8443'",
        SERVER % "listen: '[::1]:8443'",
        SERVER % "trusted_proxies: [192.0.2.1]",
        SERVER % "tls: {certificate: a, private_key: b}",
        SERVER % "listen: 'localhost:0'",
        TWO % ("mobiles: [89161234567]", "mobiles: [89161234568]"),
        "server: {public_url: 'http://127.0.0.1:8443', token: 0123456789abcdef, listen: '127.0.0.1:8443'}",
    ],
)
def test_what_does_not_contradict_itself_is_taken(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text) == []


def test_contradictions_are_told_beside_other_problems(tmp_path: Path) -> None:
    found = problems(tmp_path, "trunks: [{channel: SIP/x}, {channel: SIP/x}]\nlog: {level: loud}\n")
    assert len(found) == 2


def test_a_section_with_a_problem_is_not_accused_of_another(tmp_path: Path) -> None:
    found = problems(tmp_path, SERVER % "listen: '0.0.0.0:8443', tls: {certificate: a}")
    assert found == ["server.tls.private_key: is missing; allowed: such as /etc/ami-planfix/privkey.pem"]
