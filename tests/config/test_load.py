"""What the administrator wrote -> a configuration, or every problem with it."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ami_planfix.config import EVERYTHING, FOR_CALLS, Config, examine, load
from ami_planfix.config.values import Address
from ami_planfix.errors import ConfigurationError

ENVIRONMENT = {"AMI_SECRET": "manager's word", "EMPTY": "", "LINES": "one\r\ntwo", "CREDENTIALS_DIRECTORY": "/nowhere"}
WORKING = "ami: {secret: word}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def problems(file: Path, text: str, needs: frozenset[str] = EVERYTHING) -> list[str]:
    """The problems of a text, without the name of its file."""
    file.write_text(text, encoding="utf-8")
    found = examine(file, needs, ENVIRONMENT)
    assert (found.config is None) == bool(found.problems)
    return [str(problem).removeprefix(f"{file}:") for problem in found.problems]


def loaded(file: Path, text: str) -> Config:
    file.write_text(text, encoding="utf-8")
    return load(file, EVERYTHING, ENVIRONMENT)


class TestWhatIsDemanded:
    def test_without_a_file_all_is_at_its_default(self) -> None:
        assert load(None, FOR_CALLS) == Config()

    def test_an_empty_file_will_do_for_replay(self, file: Path) -> None:
        assert problems(file, "", FOR_CALLS) == []

    def test_the_daemon_needs_the_secret_of_ami(self, file: Path) -> None:
        assert problems(file, "ami:\n  port: 5038\n") == [
            "1: ami.secret: is missing; allowed: the secret of our user in Asterisk's manager.conf"
        ]

    def test_one_secret_is_all_that_must_be_written(self, file: Path) -> None:
        config = loaded(file, WORKING)
        assert config.ami.secret.get_secret_value() == "word"
        assert config.server is None
        assert config.planfix.url is None

    def test_what_a_command_does_not_use_may_be_wrong(self, file: Path) -> None:
        text = "ami: {secret: '${UNSET}', port: x}\nserver: {token_file: /nowhere}\nnumbering: {country: KZ}\n"
        assert problems(file, text, FOR_CALLS) == []
        assert load(file, FOR_CALLS, ENVIRONMENT).numbering.country == "KZ"

    def test_without_secrets_none_is_missed_and_the_rest_is_read(self, file: Path) -> None:
        file.write_text("ami: {name: north, secret: '${UNSET}'}\nplanfix: {token_file: /nowhere}\n")
        config = load(file, {"ami", "planfix"}, ENVIRONMENT, secrets=False)
        assert config.ami.name == "north"
        assert not config.ami.secret
        assert not load(file.with_name("config.yaml"), {"ami"}, {"UNSET": "word"}, secrets=False).ami.secret

    def test_an_unknown_section_is_told_to_every_command(self, file: Path) -> None:
        (found,) = problems(file, "trunk: []\n", FOR_CALLS)
        assert found.startswith("1: trunk: unknown section; allowed: ami, planfix, ")
        assert found.endswith(". Did you mean trunks?")

    def test_a_section_without_keys_is_at_its_defaults(self, file: Path) -> None:
        assert loaded(file, WORKING + "planfix:\nserver:\ntrunks:\nlog:\n  # all off\n") == loaded(file, WORKING)


class TestValuesAreReadAsTheyAreWritten:
    @pytest.mark.parametrize("written", ["101", "'101'", '"101"'])
    def test_an_extension_needs_no_quotes(self, file: Path, written: str) -> None:
        config = loaded(file, WORKING + f"numbering: {{employees: [{{extension: {written}}}]}}")
        assert config.numbering.employees[0].extension == "101"

    @pytest.mark.parametrize("written", ["0101", "010", "1_0", "1e3", "0x10"])
    def test_what_yaml_would_take_for_another_number_stays_as_written(self, file: Path, written: str) -> None:
        config = loaded(file, WORKING + f"numbering: {{default_extension: {written}}}")
        assert config.numbering.default_extension == written

    def test_numbers_need_no_quotes(self, file: Path) -> None:
        config = loaded(file, WORKING + "trunks: [{channel: PJSIP/provider, number: 74951230000, strip: 00}]")
        assert (config.trunks[0].number, config.trunks[0].strip) == ("74951230000", "00")
        config = loaded(file, WORKING + "dids: [{number: +74951230000}]")
        assert config.dids[0].number == "+74951230000"

    @pytest.mark.parametrize(("written", "meant"), [("yes", True), ("on", True), ("TRUE", True), ("off", False)])
    def test_a_switch_may_be_written_as_people_do(self, file: Path, written: str, meant: bool) -> None:
        assert loaded(file, WORKING + f"storage: {{durable: {written}}}").storage.durable is meant

    def test_norway_is_a_country(self, file: Path) -> None:
        assert loaded(file, WORKING + "numbering: {country: NO}").numbering.country == "NO"

    def test_whoever_lives_elsewhere_may_dial_home(self, file: Path) -> None:
        assert loaded(file, WORKING).makecall.countries == ("RU",)
        assert loaded(file, WORKING + "numbering: {country: KZ}").makecall.countries == ("KZ",)
        text = WORKING + "numbering: {country: KZ}\nmakecall: {countries: [KZ, RU]}"
        assert loaded(file, text).makecall.countries == ("KZ", "RU")

    def test_addresses_have_a_host_and_a_port(self, file: Path) -> None:
        assert loaded(file, WORKING + "admin: {listen: '[::1]:9000'}").admin.listen == Address("::1", 9000)

    def test_paths_begin_at_the_folder_of_the_file(self, file: Path) -> None:
        config = loaded(file, "ami: {secret: word, ca: keys/ca.crt}\nrecordings: {directory: /srv/audio}")
        assert config.ami.ca == file.parent / "keys/ca.crt"
        assert config.recordings.directory == Path("/srv/audio")


class TestSecrets:
    def test_a_variable_is_filled_in(self, file: Path) -> None:
        assert loaded(file, "ami: {secret: '${AMI_SECRET}'}").ami.secret.get_secret_value() == "manager's word"

    def test_a_variable_may_be_a_part_of_any_value(self, file: Path) -> None:
        config = loaded(file, WORKING + "log: {level: info}\nstorage: {url: 'postgresql://u:${AMI_SECRET}@db/x'}")
        assert config.storage.url.get_secret_value() == "postgresql://u:manager's word@db/x"

    def test_two_dollars_are_one(self, file: Path) -> None:
        assert loaded(file, "ami: {secret: 'a$${AMI_SECRET}$1'}").ami.secret.get_secret_value() == "a${AMI_SECRET}$1"

    def test_a_file_of_its_own_is_read(self, file: Path) -> None:
        file.with_name("word").write_text("from a file\n")
        assert loaded(file, "ami: {secret_file: word}").ami.secret.get_secret_value() == "from a file"

    def test_a_credential_of_systemd_is_read(self, file: Path) -> None:
        file.with_name("ami").write_text("credential")
        file.write_text("ami: {secret_file: '${CREDENTIALS_DIRECTORY}/ami'}")
        config = load(file, EVERYTHING, {"CREDENTIALS_DIRECTORY": str(file.parent)})
        assert config.ami.secret.get_secret_value() == "credential"

    @pytest.mark.parametrize(
        ("content", "wrong"),
        [
            (None, "the file cannot be read: No such file or directory"),
            (b"", "the file is empty; allowed: a file with the secret in one line"),
            (b"\r\n\n", "the file is empty; allowed: a file with the secret in one line"),
            (b"one\ntwo\n", "the file has more than a secret in it; allowed: a file with the secret in one line"),
            (b"x" * 5000, "the file has more than a secret in it; allowed: a file with the secret in one line"),
            (b"\xff\xfe", "the file is no text; allowed: a file with the secret in one line"),
        ],
    )
    def test_a_file_that_cannot_be_used_is_told(self, file: Path, content: bytes | None, wrong: str) -> None:
        if content is not None:
            file.with_name("word").write_bytes(content)
        assert problems(file, "ami:\n  secret_file: word\n") == [f"2: ami.secret_file: {wrong}"]

    def test_a_folder_is_no_secret(self, file: Path) -> None:
        assert problems(file, "ami: {secret_file: .}") == [
            "1: ami.secret_file: the file cannot be read: Is a directory"
        ]

    @pytest.mark.parametrize("path", ["''", "[a]", '"a\\0b"', "~"])
    def test_a_path_must_be_one(self, file: Path, path: str) -> None:
        assert problems(file, f"ami: {{secret_file: {path}}}")[0].startswith("1: ami.secret_file: is no path")

    def test_a_secret_is_given_once(self, file: Path) -> None:
        file.with_name("word").write_text("word")
        assert problems(file, "ami: {secret: word, secret_file: word}") == [
            "1: ami.secret_file: is given beside secret; allowed: one of both"
        ]

    def test_a_variable_that_is_not_set_is_told_once(self, file: Path) -> None:
        assert problems(file, "server: {public_url: https://x, token: '${UNSET}'}\nami: {secret: '${2}'}") == [
            "1: server.token: the environment variable UNSET is not set",
            "2: ami.secret: ${...} is not the name of an environment variable; allowed: ${NAME}; $${ is a plain ${",
        ]

    @pytest.mark.parametrize(
        "text",
        [
            "ami: {secret: [hunter2]}",
            "ami: {secret: {hunter2: hunter2}}",
            "ami: {secret: hunter2\u2028, port: hunter}",
            'ami: {secret: "hunter2\\r\\nAction: Logoff"}',
            "ami: {secret: '${SECRET}'}",
            "ami: hunter2",
            "ami: [hunter2]",
            "server: {token: hunter2}",
            "storage: {url: 'mysql://root:hunter2@db/x'}",
            "planfix: {url: 'https://root:${SECRET}@x.planfix.com'}",
            "ami: {secret: *hunter2}",
            "ami:\n  secret: &hunter2\n  secret: !hunter2\n",
            "ami:\n  secret: !hunter2 x\n",
            "ami:\n  secret: 'hunter2\n",
            "ami:\n  secret: x: hunter2\n",
            "ami:\n  secret hunter2\n",
            "ami:\n  secret: %hunter2\n",
            "ami:\n  secret: *hunter2\n  x: *hunter2\n",
        ],
    )
    def test_a_secret_is_never_shown(self, file: Path, text: str) -> None:
        file.write_text(text, encoding="utf-8")
        found = examine(file, EVERYTHING, {"SECRET": "hunter2\n"})
        assert found.problems
        assert "hunter2" not in str(found.problems)
        with pytest.raises(ConfigurationError) as fault:
            load(file, EVERYTHING, {"SECRET": "hunter2\n"})
        assert "hunter2" not in str(fault.value)

    def test_a_secret_is_not_shown_with_the_configuration(self, file: Path) -> None:
        text = "ami: {secret: hunter2}\nstorage: {url: 'postgresql://u:hunter2@db/x'}\nplanfix: {token: hunter2}"
        assert "hunter2" not in repr(loaded(file, text))


class TestEveryProblemAtOnce:
    def test_all_are_told_in_the_order_of_the_file(self, file: Path) -> None:
        text = """\
ami:
  secrt: word
  port: 99999
planfix:
  url: http://company.planfix.com/tel/api
trunks:
  - channel: PJSIP/provider
    kind: intern
  - number: x
calls: {missed: on, transfers: lst}
numbering:
  country: ru
  employees:
    - extension: 101
      devices: PJSIP/101-home
makecall: {timeout: nan, per_minute: 0, channel: PJSIP/101}
dids: {number: 1}
"""
        assert problems(file, text) == [
            "2: ami.secrt: unknown key; allowed: name, host, port, username, secret, tls, ca, timeout, silence,"
            " secret_file. Did you mean secret?",
            "3: ami.port: '99999' is not allowed; allowed: at most 65535",
            "5: planfix.url: 'http://company.planfix.com/tel/api' is not allowed; allowed: https://HOST/..., without"
            " user, query and #; http:// only for this machine itself."
            " Did you mean https://company.planfix.com/tel/api?",
            "8: trunks[0].kind: 'intern' is not allowed; allowed: provider, internal, ignore. Did you mean internal?",
            "9: trunks[1].channel: is missing; allowed: such as PJSIP/provider",
            "9: trunks[1].number: 'x' is not allowed; allowed: a telephone number, such as '74951230000', or ''",
            "10: calls.missed: 'on' is not allowed; allowed: one, each. Did you mean one?",
            "10: calls.transfers: 'lst' is not allowed; allowed: last, each. Did you mean last?",
            "12: numbering.country: 'ru' is not allowed; allowed: two capital letters of ISO 3166, such as RU, BY, KZ,"
            " UA, DE, US. Did you mean RU?",
            "15: numbering.employees[0].devices: is a single value; allowed: a list: [one, another], or lines that"
            " begin with -",
            "16: makecall.timeout: 'nan' is not allowed; allowed: a number",
            "16: makecall.per_minute: '0' is not allowed; allowed: at least 1",
            "16: makecall.channel: 'PJSIP/101' is not allowed; allowed: a text with {extension} in it, such as"
            " {extension}",
            "17: dids: is a list or a section; allowed: a list: [one, another], or lines that begin with -",
        ]

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("ami: {port: }", "ami.port: has no value"),
            ("ami: {username: ''}", "ami.username: is empty; allowed: 1 characters or more"),
            ("ami: 5038", "ami: is a single value; allowed: keys of its own: name, host, port"),
            ("ami: []", "ami: is a list or a section; allowed: keys of its own: name, host, port"),
            ("ami: {port: [5038]}", "ami.port: is a list or a section; allowed: a single value"),
            ("ami: {port: {a: b}}", "ami.port: is a list or a section; allowed: a single value"),
            ("ami: {port: 50.5}", "ami.port: '50.5' is not allowed; allowed: a whole number"),
            ("ami: {tls: maybe}", "ami.tls: 'maybe' is not allowed; allowed: true or false"),
            ("ami: {ca: [x]}", "ami.ca: this ca is not allowed; allowed: a path"),
            ("server: {listen: 8443}", "server.listen: '8443' is not allowed; allowed: HOST:PORT"),
            ("server: {}", "server.public_url: is missing; allowed: such as https://pbx.example.com:8443"),
            ("server: {token: short}", "server.token: this secret is too short; allowed: 16 characters or more"),
            ("server: {tls: {}}", "server.tls.certificate: is missing; allowed: such as /etc/"),
            ("server: {allow_from: [192.0.2.1/24]}", "server.allow_from[0]: '192.0.2.1/24' is not allowed"),
            ("numbering: {extensions: '[0-'}", "numbering.extensions: '[0-' is not allowed; allowed: a regular"),
            (
                "numbering: {extensions: '(\\d{1,2})+x'}",
                "numbering.extensions: '(\\d{1,2})+x' is not allowed; allowed: a regular",
            ),
            ("numbering: {extensions: '\\d+'}", "numbering.extensions: '\\d+' is not allowed; allowed: a regular"),
            ("dids: [{number: 1, data: {'a b': c}}]", "dids[0].data.a b: is not allowed as a key; allowed: letters"),
            ("dids: [{number: 123, data: {a: }}]", "dids[0].data.a: has no value"),
            ("dids: [{number: 123, data: 5}]", "dids[0].data: is a single value; allowed: keys of its own"),
            ("trunks: [{channel: PJSIP}]", "trunks[0].channel: 'PJSIP' is not allowed; allowed: TECHNOLOGY/NAME"),
            ("trunks: [PJSIP/x]", "trunks[0]: is a single value; allowed: keys of its own: channel, number"),
            ("storage: {url: sqlite:///x}", "storage.url: this secret is not allowed; allowed: sqlite:////ABSOLUTE"),
            ("makecall: {context: 'a,b'}", "makecall.context: 'a,b' is not allowed; allowed: letters, digits"),
            ("makecall: {dial: {national: '8{numbr}'}}", "makecall.dial.national: '8{numbr}' is not allowed"),
            ("log: {level: warn}", "log.level: 'warn' is not allowed; allowed: debug, info, warning, error. Did you"),
            ("- a", "the file must consist of sections; allowed: ami, planfix"),
            ("word", "the file must consist of sections; allowed: ami, planfix"),
        ],
    )
    def test_each_says_what_is_wrong_and_what_is_allowed(self, file: Path, text: str, found: str) -> None:
        assert any(line.removeprefix("1: ").startswith(found) for line in problems(file, text)), problems(file, text)

    def test_nothing_in_a_file_can_disturb_a_terminal(self, file: Path) -> None:
        found = problems(file, 'log: {level: "\\e[2J\\r\\n", "k\\e[1m\\u202e": 1}\n"\\e]0;x\\a": 1\n')
        assert len(found) >= 3
        assert "".join(found).isprintable()


@given(st.text(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_a_configuration_or_has_problems(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = examine(file, EVERYTHING, {})
    assert found.config is None
    assert all(str(problem).startswith(os.fspath(file)) for problem in found.problems)
