"""`recordings.url` and `recordings.link_days`: what is taken, and what is refused with a reason."""

from pathlib import Path

import pytest

from ami_planfix.config import load
from ami_planfix.errors import ConfigurationError


def recordings(tmp_path: Path, keys: str) -> object:
    file = tmp_path / "config.yaml"
    file.write_text(f"ami: {{secret: word}}\nrecordings: {{{keys}}}\n")
    return load(file, environment={}).recordings


@pytest.mark.parametrize(
    "url",
    [
        "https://records.example.com/{path}",
        "https://records.example.com:8443/{year}/{month}/{day}/{name}",
        "http://10.0.0.5/play?id={callid}",
        "",
    ],
)
def test_an_address_with_a_placeholder_that_names_the_call_is_taken(tmp_path: Path, url: str) -> None:
    recordings(tmp_path, f"url: '{url}'")


@pytest.mark.parametrize(
    "url",
    [
        "https://records.example.com/",
        "https://records.example.com/{year}",
        "https://records.example.com/{path}/{caller}",
        "https://records.example.com/{path!r}",
        "https://records.example.com/{path.__class__}",
        "https://records.example.com/{path} x",
        "ftp://records.example.com/{path}",
        "https:///{path}",
        "https://records.example.com/{path",
    ],
)
def test_what_is_no_address_of_one_call_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"recordings\.url"):
        recordings(tmp_path, f"url: '{url}'")


def test_a_link_in_the_report_of_the_end_cannot_expire(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"recordings\.link_days.*cannot expire"):
        recordings(tmp_path, "link: completed, link_days: 3")
