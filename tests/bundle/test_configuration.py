"""The configuration in a bundle: all that is written, but for every form of a secret."""

from pathlib import Path

import pytest
import yaml

from ami_planfix.bundle.configuration import redacted
from ami_planfix.bundle.contents import secrets_of
from ami_planfix.config.load import load

FORMS = """\
# token: hush-in-a-comment
ami:
  host: 192.0.2.5
  secret: hush-plain
planfix:
  url: https://company.planfix.com/tel/api
  token: "hush-quoted"   # hush-behind
server:
  public_url: https://pbx.example.com
  token: |
    hush-block
  tokken: hush-misspelt
storage:
  url: postgresql://planfix:hush@p@ss@db.example.com/planfix
dids:
  - number: '74951230001'
    data: {utm_source: site}
backfill:
  cdr: mysql://freepbxuser:hush-of-mysql@localhost/asteriskcdrdb
alerts:
  after: 60
  webhook:
    url: https://api.telegram.org/bot1:hush-of-the-bot/sendMessage
    body: {chat_id: '-1001', key: hush-in-the-body, key_file: hush-that-is-no-file}
    token_file: token-of-the-hook
  mail: {sender: pbx@example.com, to: [admin@example.com], password: hush-of-the-mail}
secrets: hush-unknown-section
other: {deep: [hush-deep]}
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "config.yaml"
    file.write_text(text, "utf-8")
    return file


@pytest.mark.parametrize(
    "text",
    [
        "hush", "- hush", "ami: hush", "ami:\n  secret:hush", "ami: [hush]", "planfix: {token: [hush, {a: hush}]}",
        "planfix: {token: {hush: hush}}", "planfix: {url: [hush]}", "planfix: {url: {hush: hush}}", "trunks: hush",
        "trunks: [hush]", "trunks: [[hush]]", "dids: [{number: [hush]}]", "server: {tls: hush}",
        "alerts: {webhook: hush}", "backfill: {cdr: 'mysql://db/cdr?user=me&password=hush'}",
        "alerts: {webhook: {body: hush}}", "storage: 'postgresql://me:hush@db/planfix'",
        "storage: {url: 'pg://me:hush@db'}",
    ],
)  # fmt: skip
def test_nor_in_a_shape_that_it_does_not_have(tmp_path: Path, text: str) -> None:
    assert "hush" not in redacted(written(tmp_path, text))


def test_no_secret_in_any_form_and_all_the_rest(tmp_path: Path) -> None:
    text = redacted(written(tmp_path, FORMS))
    assert "hush" not in text
    assert "p@ss" not in text
    found = yaml.safe_load(text)
    assert found["ami"] == {"host": "192.0.2.5", "secret": "[redacted]"}
    assert found["planfix"]["url"] == "https://company.planfix.com/tel/api"
    assert found["storage"]["url"] == "postgresql://planfix:[redacted]@db.example.com/planfix"
    assert found["dids"] == [{"number": "74951230001", "data": {"utm_source": "site"}}]
    assert found["backfill"]["cdr"] == "mysql://freepbxuser:[redacted]@localhost/asteriskcdrdb"
    assert found["alerts"]["after"] == "60"
    assert found["alerts"]["webhook"]["token_file"] == "token-of-the-hook"
    assert found["alerts"]["mail"]["to"] == ["admin@example.com"]
    assert list(found) == ["ami", "planfix", "server", "storage", "dids", "backfill", "alerts", "secrets", "other"]


def test_where_a_secret_comes_from_is_told_and_it_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush-in-a-file")
    text = "ami: {secret: '${AMI_SECRET}'}\nplanfix: {token_file: token}\nserver: {token: 'x${AMI_SECRET}'}\n"
    found = yaml.safe_load(redacted(written(tmp_path, text)))
    assert found == {
        "ami": {"secret": "${AMI_SECRET}"},
        "planfix": {"token_file": "token"},
        "server": {"token": "[redacted]"},
    }


def test_a_file_that_is_no_yaml_is_not_quoted(tmp_path: Path) -> None:
    text = redacted(written(tmp_path, "ami:\n\tsecret: hush\n"))
    assert "hush" not in text
    assert "config.yaml:2" in text


async def test_every_secret_that_the_model_knows_is_searched_for(tmp_path: Path) -> None:
    text = yaml.safe_dump(
        {
            "ami": {"secret": "hush-1"},
            "planfix": {"token": "hush-2"},
            "server": {
                "public_url": "https://pbx.example.com",
                "token": "hush-3-hush-3-hush-3",
                "listen": "127.0.0.1:1",
            },
            "admin": {"password": "hush-4-hush-4"},
            "storage": {"url": "postgresql://planfix:hush-5@127.0.0.1:9/planfix"},
            "backfill": {"cdr": "mysql://freepbxuser:hush-6@localhost/asteriskcdrdb", "cel": "/var/log/hush.csv"},
        }
    )
    found = await secrets_of(load(written(tmp_path, text)))
    assert found == ["hush-1", "hush-2", "hush-3-hush-3-hush-3", "hush-4-hush-4", "hush-6", "hush-5"]
