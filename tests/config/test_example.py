"""The sample file is the model, no more and no less."""

import re
from pathlib import Path

import yaml

from ami_planfix.config import EVERYTHING, Config, load
from ami_planfix.config.example import example
from ami_planfix.config.schema import section_of
from ami_planfix.config.section import Section

FILE = Path(__file__).parents[2] / "config.example.yaml"


def switched_on(text: str) -> str:
    """Take away the # before every key; `# words` are words."""
    lines = text.splitlines()
    while any(re.match(r"\s*#(?! \S|$)", line) for line in lines):
        lines = [re.sub(r"^(\s*)#(?! \S|$)", r"\1", line) for line in lines]
    return "\n".join(lines)


def keys_of(section: type[Section]) -> dict[str, object]:
    return {
        name: keys_of(inner) if (inner := section_of(field.annotation)) else None
        for name, field in section.model_fields.items()
    }


def keys_in(value: object, known: dict[str, object]) -> dict[str, object]:
    (value,) = value if isinstance(value, list) else (value,)
    assert isinstance(value, dict)
    found: dict[str, object] = {}
    for name, item in value.items():
        inside = known[name]
        found[name] = keys_in(item, inside) if isinstance(inside, dict) else None
    return found


def test_the_file_is_what_the_model_says() -> None:
    assert FILE.read_text(encoding="utf-8") == example(), "run: python -m ami_planfix.config.example"


def test_every_key_is_in_it() -> None:
    known = keys_of(Config)
    assert keys_in(yaml.safe_load(switched_on(example())), known) == known


def test_as_it_is_it_lacks_the_secret_alone(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(example().replace("secret: ''", "secret: word"))
    config = load(file, EVERYTHING, {})
    assert config == Config.model_validate({"ami": {"secret": "word"}})


def test_with_every_key_switched_on_it_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    text = switched_on(example()).replace("secret: ''", "secret: word")
    file.write_text(text.replace("token: ''", "token: a-long-word-of-our-own"))
    config = load(file, EVERYTHING, {})
    assert config.server is not None
    assert config.trunks[0].channel == "PJSIP/provider"
    assert config.numbering.employees[0].devices == ("PJSIP/101-home",)


def test_every_key_is_explained() -> None:
    def unexplained(section: type[Section]) -> list[str]:
        inner = [section_of(field.annotation) for field in section.model_fields.values()]
        own = [] if section is Config else [n for n, field in section.model_fields.items() if not field.description]
        return own + [name for one in inner if one for name in unexplained(one)]

    assert unexplained(Config) == []
