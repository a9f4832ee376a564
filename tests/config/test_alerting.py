"""Whom the daemon is to tell: what may stand there, and that no secret of it is ever shown."""

from pathlib import Path

import pytest

from ami_planfix.bundle.contents import secrets_of
from ami_planfix.config.load import EVERYTHING, examine, load

MAIL = "alerts: {mail: {sender: pbx@example.com, to: [admin@example.com], %s}}\n"
WEBHOOK = "alerts: {webhook: {url: '%s'}}\n"
SECRET = "hush-hush-hush"


def problems(folder: Path, text: str) -> list[str]:
    file = folder / "config.yaml"
    file.write_text(f"ami: {{secret: word}}\n{text}")
    found = [str(problem).partition(": ")[2] for problem in examine(file, EVERYTHING, {}).problems]
    assert not any(SECRET in one for one in found)
    return found


@pytest.mark.parametrize(
    "url",
    [
        "https://api.telegram.org/bot123:AAE-x_y/sendMessage",
        "https://chat.example.com:8443/hooks/key?channel=pbx",
        "http://127.0.0.1:9000/hook",
        "http://localhost/hook",
        "http://192.168.1.5/hook",
        "http://[fd00::5]/hook",
    ],
)
def test_addresses_that_may_be_told(tmp_path: Path, url: str) -> None:
    assert problems(tmp_path, WEBHOOK % url) == []


@pytest.mark.parametrize(
    "url",
    [
        f"http://example.com/{SECRET}",
        f"http://8.8.8.8/{SECRET}",
        f"ftp://example.com/{SECRET}",
        f"https://user:{SECRET}@example.com/",
        f"https://example.com/#{SECRET}",
        f"https://example.com:99999/{SECRET}",
        f"https://exam ple.com/{SECRET}",
        f"//example.com/{SECRET}",
        SECRET,
    ],
)
def test_addresses_that_may_not(tmp_path: Path, url: str) -> None:
    (problem,) = problems(tmp_path, WEBHOOK % url)
    assert problem.startswith("alerts.webhook.url: this secret is not allowed; allowed: https://HOST/...")


def test_a_value_of_the_body_is_a_secret_too(tmp_path: Path) -> None:
    text = f"alerts: {{webhook: {{url: 'https://example.com/', body: {{key: \"{SECRET}\\n{SECRET}\"}}}}}}\n"
    (problem,) = problems(tmp_path, text)
    assert problem.startswith("alerts.webhook.body.key: this secret is not allowed")


@pytest.mark.parametrize(
    ("more", "key"),
    [
        (f"username: pbx, password: {SECRET}, host: smtp.example.com, tls: none", "alerts.mail.tls"),
        (f"password: {SECRET}", "alerts.mail.username"),
        ("username: pbx", "alerts.mail.password"),
    ],
)
def test_mail_that_cannot_be(tmp_path: Path, more: str, key: str) -> None:
    (problem,) = problems(tmp_path, MAIL % more)
    assert problem.startswith(f"{key}: ")


@pytest.mark.parametrize(
    "more",
    [
        "host: smtp.example.com, tls: none, port: 25",
        f"tls: none, port: 25, username: pbx, password: {SECRET}",
        f"host: smtp.example.com, username: pbx@example.com, password: {SECRET}",
    ],
)
def test_mail_that_can(tmp_path: Path, more: str) -> None:
    assert problems(tmp_path, MAIL % more) == []


@pytest.mark.parametrize(
    "to", ["admin", "a@b@c", "Admin <admin@example.com>", "a@example.com, b@example.com", "a@b\\n"]
)
def test_what_is_no_mail_address(tmp_path: Path, to: str) -> None:
    (problem,) = problems(tmp_path, f'alerts: {{mail: {{sender: pbx@example.com, to: ["{to}"]}}}}\n')
    assert "a mail address: name@example.com" in problem


def test_somebody_must_get_it(tmp_path: Path) -> None:
    assert problems(tmp_path, "alerts: {mail: {sender: pbx@example.com, to: []}}\n") == [
        "alerts.mail.to: this to is not allowed; allowed: at least one"
    ]


async def test_a_bundle_knows_all_secrets_of_the_ways(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    hook = "{url: 'https://example.com/key-in-the-url', token: token-of-the-hook, body: {k: key-in-body, t: '{text}'}}"
    mail = "{sender: a@b, to: [a@b], username: pbx, password: password-of-mail}"
    storage = f"storage: {{url: 'sqlite:///{tmp_path}/none.db'}}"
    file.write_text(f"ami: {{secret: word}}\n{storage}\nalerts: {{webhook: {hook}, mail: {mail}}}\n")
    found = await secrets_of(load(file, EVERYTHING, {}))
    assert {"https://example.com/key-in-the-url", "token-of-the-hook", "key-in-body", "password-of-mail"} <= set(found)
    assert "{text}" not in found
