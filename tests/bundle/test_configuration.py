"""The configuration in a bundle: all that is written, but for every form of a secret."""

from pathlib import Path

import yaml

from ami_planfix.bundle.configuration import redacted

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
secrets: hush-unknown-section
other: {deep: [hush-deep]}
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "config.yaml"
    file.write_text(text, "utf-8")
    return file


def test_no_secret_in_any_form_and_all_the_rest(tmp_path: Path) -> None:
    text = redacted(written(tmp_path, FORMS))
    assert "hush" not in text
    assert "p@ss" not in text
    found = yaml.safe_load(text)
    assert found["ami"] == {"host": "192.0.2.5", "secret": "[redacted]"}
    assert found["planfix"]["url"] == "https://company.planfix.com/tel/api"
    assert found["storage"]["url"] == "postgresql://planfix:[redacted]@db.example.com/planfix"
    assert found["dids"] == [{"number": "74951230001", "data": {"utm_source": "site"}}]
    assert list(found) == ["ami", "planfix", "server", "storage", "dids", "secrets", "other"]


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
