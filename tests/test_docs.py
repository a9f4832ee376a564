"""The documents tell what is: commands, keys, version, links; and they stand on their own."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from ami_planfix import __version__
from ami_planfix.calls.part import State
from ami_planfix.cli.main import COMMANDS, cli
from ami_planfix.config.load import EVERYTHING, load
from ami_planfix.config.model import Config
from ami_planfix.config.reference import heading, reference, translation
from tests.cli.running import ami_planfix

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "docs"
RUSSIAN = DOCS / "ru"
README_RU = RUSSIAN / "README.md"
CONFIGURATION = ROOT / "docs" / "admin" / "configuration.md"
DOCUMENTS = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests").rglob("README.md")})
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


def commands() -> Iterator[tuple[str, click.Command]]:
    """Give each command, and those inside of groups."""
    for name in COMMANDS:
        found = command(name)
        yield name, found
        if isinstance(found, click.Group):
            yield from ((f"{name} {inner}", one) for inner, one in found.commands.items())


def in_short(one: click.Command) -> str:
    """Give the sentence with which `--help` begins."""
    return " ".join((one.help or "").partition("\n\n")[0].split())


def rows(path: Path) -> dict[str, str]:
    """Give the table of commands: `| `name ARGUMENTS` | what it does |`."""
    found = re.findall(r"^\| `ami-planfix ([^`]+)` \| (.+) \|$", text_of(path), re.MULTILINE)
    known = [name for name, _ in commands()]
    table: dict[str, str] = {}
    for written, told in found:
        name = max((one for one in known if f"{written} ".startswith(f"{one} ")), key=len, default=written)
        table[name] = told
    return table


def without_clock(line: str) -> str:
    """Take off a time of day, which depends on where it is read."""
    return re.sub(r"^\d\d:\d\d:\d\d\.\d+", "", line)


def headings(path: Path) -> set[str]:
    """Give the anchors of a document's headings, as GitHub makes them."""
    anchors = set()
    for title in re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(path)), re.MULTILINE):
        words = re.sub(r"[`*_]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)).strip().lower()
        anchors.add(re.sub(r"[^\w\- ]", "", words).replace(" ", "-"))
    return anchors


def outline(path: Path) -> tuple[list[str], list[int], list[str]]:
    """Give what a translation must share with its original: levels of headings, rows of each table, code."""
    text = text_of(path)
    blocks = FENCE.findall(text)
    prose = FENCE.sub("", text)
    levels = re.findall(r"^(#+) ", prose, re.MULTILINE)
    tables = [table.count("\n") for table in re.findall(r"(?:^\|.*\n)+", prose, re.MULTILINE)]
    return levels, tables, [re.sub(r"\s*[#;] .*$", "", block, flags=re.MULTILINE) for block in blocks]


def test_the_readme_has_every_command_with_the_words_of_its_help() -> None:
    assert rows(README) == {name: in_short(one) for name, one in commands()}


def test_the_russian_readme_has_every_command() -> None:
    assert list(rows(README_RU)) == list(rows(README))


@pytest.mark.parametrize("path", [DOCS / "security.md", *sorted((DOCS / "admin").glob("*.md"))], ids=shown)
def test_what_administrators_read_is_there_in_russian(path: Path) -> None:
    russian = RUSSIAN / path.relative_to(DOCS)
    assert russian.exists(), "translate it"
    assert outline(russian) == outline(path), "bring the two together again"


def test_every_option_that_a_document_names_exists() -> None:
    options = {option for _, one in commands() for parameter in one.params for option in parameter.opts}
    options |= {"--help", "--version"}
    for path in DOCUMENTS:
        for name, words in re.findall(r"ami-planfix ([a-z]+)([^`\n|]*)", text_of(path)):
            if name in COMMANDS:
                unknown = set(re.findall(r"(?<=\s)--[a-z-]+", words)) - options
                assert not unknown, f"{shown(path)}: ami-planfix {name}{words}"


def test_every_command_that_a_document_names_exists() -> None:
    for path in DOCUMENTS:
        named = set(re.findall(r"`(?:sudo (?:-u ami-planfix )?)?ami-planfix ([a-z-]+)", text_of(path)))
        assert named <= {*COMMANDS}, shown(path)


def test_the_reference_of_the_configuration_is_what_the_model_says() -> None:
    before, head, after = text_of(CONFIGURATION).partition(heading())
    assert before.strip()
    assert head + after == reference(), f"run: python -m ami_planfix.config.reference {shown(CONFIGURATION)}"


def test_the_russian_reference_is_complete_and_says_the_same() -> None:
    document, words = RUSSIAN / "admin" / "configuration.md", RUSSIAN / "configuration.yaml"
    asked: list[str] = []

    def say(text: str) -> str:
        asked.append(text)
        return text

    reference(say)
    known = yaml.safe_load(text_of(words))
    assert [text for text in asked if text not in known] == [], f"translate them in {shown(words)}"
    assert [text for text in known if text not in asked] == [], f"take them out of {shown(words)}"
    before, head, after = text_of(document).partition(heading(translation(words)))
    assert before.strip()
    command = f"python -m ami_planfix.config.reference {shown(document)} {shown(words)}"
    assert head + after == reference(translation(words)), f"run: {command}"


@pytest.mark.parametrize("path", [README, README_RU], ids=shown)
def test_the_configuration_in_the_readme_is_taken(path: Path, tmp_path: Path) -> None:
    written = re.findall(r"^```yaml\n(.*?)^```$", text_of(path), re.MULTILINE | re.DOTALL)[0]
    file = tmp_path / "config.yaml"
    file.write_text(written, encoding="utf-8")
    config = load(file, EVERYTHING, {})
    assert config.server is not None
    assert config.trunks


@pytest.mark.parametrize("path", DOCUMENTS, ids=shown)
def test_every_piece_of_configuration_in_a_document_is_taken(path: Path) -> None:
    for written in re.findall(r"^```yaml\n(.*?)^```$", text_of(path), re.MULTILINE | re.DOTALL):
        keys = yaml.safe_load(written)
        if "server" in keys:  # without what it demands, where something else is told
            keys["server"] = {"public_url": "https://pbx.example.com", "token": "a-long-random-word"} | keys["server"]
        assert Config.model_validate(keys)


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## (\S+)", text_of(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert versions[0] == __version__


@pytest.mark.parametrize("path", [README, README_RU, *sorted((ROOT / "docs").rglob("admin/*.md"))], ids=shown)
def test_what_the_log_is_said_to_say_stands_in_the_program(path: Path) -> None:
    program = "\n".join(text_of(module) for module in (ROOT / "ami_planfix").rglob("*.py"))
    phrases = re.findall(r"`([a-z]+(?: [a-z]+)+)`", FENCE.sub("", text_of(path)))
    others = {*COMMANDS, "asterisk", "dialplan", "docker", "fwconsole", "make", "manager", "sudo", "systemctl"}
    assert [one for one in phrases if one.partition(" ")[0] not in others and one not in program] == []


def test_what_planfix_is_said_to_show_stands_in_the_program() -> None:
    program = "\n".join(text_of(module) for module in (ROOT / "ami_planfix").rglob("*.py"))
    table = text_of(ROOT / "docs" / "admin" / "planfix.md").partition("| Planfix shows |")[2].partition("\n\n")[0]
    pieces = [piece for told in re.findall(r"^\| `([^`]+)`", table, re.MULTILINE) for piece in told.split("...")]
    assert pieces
    assert [piece for piece in pieces if piece not in program] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=shown)
def test_figures_that_a_document_names_are_exposed(path: Path) -> None:
    metrics = text_of(ROOT / "ami_planfix" / "metrics.py")
    named = re.findall(r"\bami_planfix_([a-z_]+)", re.sub(r"ami_planfix/\S+", "", text_of(path)))
    assert [name for name in named if name.removesuffix("_bucket") not in metrics] == []


def test_the_timeline_of_a_call_is_what_the_program_prints() -> None:
    document = text_of(ROOT / "docs" / "calls.md")
    named = re.findall(r"`ami-planfix replay --explain (tests/captures/[^`]+)`", document)[0]
    (written,) = re.findall(r"^```\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    result = ami_planfix("replay", "--explain", str(ROOT / named))
    assert [without_clock(line) for line in written.splitlines()] == [
        without_clock(line) for line in result.out.splitlines()
    ]


def test_the_states_of_a_part_are_all_told() -> None:
    told = re.findall(r"^\| `(\w+)` \|", text_of(ROOT / "docs" / "calls.md"), re.MULTILINE)
    assert told == [state.value for state in State if state is not State.NEW]


@pytest.mark.parametrize("path", DOCUMENTS, ids=shown)
def test_links_lead_somewhere(path: Path) -> None:
    missing = []
    for link in LINK.findall(CODE.sub("", FENCE.sub("", text_of(path)))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in headings(target)):
            missing.append(link)
    assert not missing


@pytest.mark.parametrize("path", DOCUMENTS, ids=shown)
def test_files_that_a_document_names_exist(path: Path) -> None:
    folders = "ami_planfix|tests|docs|asterisk|systemd|packaging"
    named = re.findall(rf"`((?:{folders})/[A-Za-z0-9_./-]*[A-Za-z0-9_/])`", text_of(path))
    assert [name for name in named if "KIND" not in name and not (ROOT / name).exists()] == []


def test_nothing_speaks_of_the_place_where_it_was_made() -> None:
    # In halves, so that this file does not name them.
    halves = [("/wo", "rk/"), (".libr", "ary"), ("/opt/wh", "eels"), ("index-", "url"), ("python", "hosted")]
    words = ["".join(both) for both in halves]
    folders = [ROOT / name for name in ("ami_planfix", "asterisk", "docs", "packaging", "systemd", "tests", ".ci")]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix not in {".pyc", ".ami", ".gz"}]
    files += [path for path in ROOT.iterdir() if path.name != ".git"]
    found = [
        (shown(path), word)
        for path in files
        if path.is_file()
        for word in words
        if word in path.read_text(encoding="utf-8", errors="replace")
    ]
    assert found == []
