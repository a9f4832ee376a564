"""`init` on machines of several kinds: what it writes, that it does so once, that nothing of others is lost."""

import os
import re
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ami_planfix import conf
from ami_planfix.ami import filters
from ami_planfix.cli import init as command
from ami_planfix.config.load import load
from ami_planfix.config.model import Config
from ami_planfix.init.machine import Machine
from ami_planfix.init.manager import BEGIN, END
from tests.init.houses import CHAN_SIP, FREEPBX, GROUP, PLAIN, PROGRAM, Programs, house

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="init gives files away, as root")
CONFIG = "etc/ami-planfix/config.yaml"
URL = "https://pbx.example.com:8443"
PROXY = ("--public-url", URL, "--certificate", "proxy")


class Setup:
    """One machine on which init is run."""

    def __init__(self, machine: Machine, programs: Programs) -> None:
        self.machine, self.programs = machine, programs

    def run(self, *arguments: str, answers: str | None = None) -> Result:
        file = ("-c", f"/{CONFIG}")
        return CliRunner().invoke(command.init, [*file, *arguments], obj=self.machine, input=answers)

    def well(self, *arguments: str, answers: str | None = None) -> Result:
        result = self.run(*arguments, answers=answers)
        assert result.exit_code == 0, (result.output, result.exception)
        return result

    def text(self, name: str) -> str:
        return (self.machine.root / name).read_text("utf-8")

    def config(self) -> Config:
        return load(self.machine.root / CONFIG)

    def everything(self) -> dict[str, tuple[str, int, int]]:
        """Give all files with their contents, modes and groups."""
        files = [path for path in self.machine.root.rglob("*") if path.is_file()]
        return {str(path): (path.read_text("utf-8"), path.stat().st_mode, path.stat().st_gid) for path in files}


@pytest.fixture(autouse=True)
def no_doctor(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Have doctor only note that it was asked: there is no Asterisk behind these folders."""
    asked: list[Path] = []

    def look(config: Path, _machine: Machine) -> None:
        asked.append(config)

    monkeypatch.setattr(command, "_let_doctor_look", look)
    return asked


def setup(root: Path, files: dict[str, str], version: str = "22.10.1", systemd: bool = True) -> Setup:
    programs = Programs(version)
    return Setup(house(root, files, programs, systemd), programs)


class TestPlain:
    def test_all_that_is_needed_is_written(self, tmp_path: Path, no_doctor: list[Path]) -> None:
        place = setup(tmp_path, PLAIN)
        place.well("--yes", *PROXY)
        config = place.config()
        assert config.server is not None
        assert config.server.public_url == URL
        assert str(config.server.listen).startswith("127.0.0.1:")
        assert config.server.trusted_proxies == ("127.0.0.1/32",)
        assert [(trunk.channel, trunk.number) for trunk in config.trunks] == [
            ("PJSIP/provider", "74951230000"),
            ("PJSIP/0312", "74951230005"),
        ]
        assert config.numbering.area_code == "495"
        assert config.numbering.extensions == r"\d{3,4}"
        assert config.numbering.default_extension == "101"
        assert config.makecall.channel == "PJSIP/{extension}"
        assert config.makecall.context == "office"
        assert (config.makecall.dial.national, config.makecall.dial.international) == ("8{number}", "810{number}")
        assert config.contacts.hints == "lamps"
        assert no_doctor == [Path(f"/{CONFIG}")]

    def test_the_configuration_keeps_its_comments_and_is_for_the_daemon_alone(self, tmp_path: Path) -> None:
        place = setup(tmp_path, PLAIN)
        place.well("--yes", *PROXY)
        assert "# How Planfix reaches it." in place.text(CONFIG)
        status = (tmp_path / CONFIG).stat()
        assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o640, GROUP)
        folder = (tmp_path / CONFIG).parent.stat()
        assert (stat.S_IMODE(folder.st_mode), folder.st_gid) == (0o750, GROUP)

    def test_the_user_in_asterisk_has_the_least_rights_and_the_filter(self, tmp_path: Path) -> None:
        place = setup(tmp_path, PLAIN)
        place.well("--yes", *PROXY)
        found = conf.read(tmp_path / "etc/asterisk/manager.conf")
        user, general = found.find("ami-planfix"), found.find("general")
        assert user is not None
        assert general is not None
        assert user.get("secret") == place.config().ami.secret.get_secret_value()
        assert user.get("write") == "originate,reporting"
        assert user.get("permit") == "127.0.0.1/255.255.255.255"
        assert filters.kept_back(filters.parse(user.options), filters.NEEDED | filters.OPTIONAL) == []
        assert len([key for key, _ in user.options if key.startswith("eventfilter(")]) > 20
        assert (general.get("enabled"), general.get("timestampevents")) == ("yes", "yes")
        assert general.get("bindaddr") == "127.0.0.1"
        assert user.file.name == "ami-planfix.conf"
        assert stat.S_IMODE(user.file.stat().st_mode) == 0o640

    def test_programs_that_are_run(self, tmp_path: Path) -> None:
        place = setup(tmp_path, PLAIN)
        place.well("--yes", *PROXY)
        assert place.programs.ran == [
            "useradd --system --no-create-home --shell /usr/sbin/nologin ami-planfix",
            "asterisk -rx manager reload",
            "systemctl daemon-reload",
            "systemctl enable --now ami-planfix",
        ]
        assert f"ExecStart={PROGRAM} run" in place.text("etc/systemd/system/ami-planfix.service")

    def test_run_again_it_changes_nothing(self, tmp_path: Path) -> None:
        place = setup(tmp_path, {**PLAIN, "/etc/passwd": CHAN_SIP["/etc/passwd"]})
        place.well("--yes", *PROXY)
        before = place.everything()
        place.programs.ran.clear()
        result = place.well("--yes", "--public-url", "https://another.example.com", "--certificate", "proxy")
        assert "nothing had to be changed" in result.output
        assert place.everything() == before
        assert place.programs.ran == []

    def test_the_two_lines_for_planfix(self, tmp_path: Path) -> None:
        place = setup(tmp_path, PLAIN)
        result = place.well("--yes", *PROXY)
        server = place.config().server
        assert server is not None
        assert f"address of the PBX   {URL}/planfix" in result.output
        assert f"token of the PBX     {server.token.get_secret_value()}" in result.output

    def test_without_a_public_address_calls_are_reported_and_that_is_all(self, tmp_path: Path) -> None:
        place = setup(tmp_path, PLAIN)
        result = place.well("--yes", "--public-url", "none")
        assert place.config().server is None
        assert "planfix.url" in result.output

    def test_old_asterisks_get_the_old_filter(self, tmp_path: Path) -> None:
        place = setup(tmp_path, PLAIN, "16.28.0")
        place.well("--yes", *PROXY)
        user = conf.read(tmp_path / "etc/asterisk/manager.conf").find("ami-planfix")
        assert user is not None
        assert not [key for key, _ in user.options if "(" in key]
        assert filters.kept_back(filters.parse(user.options), filters.NEEDED) == []

    def test_certbots_certificate_is_copied_now_and_when_it_is_renewed(self, tmp_path: Path) -> None:
        live = "/etc/letsencrypt/live/pbx.example.com"
        place = setup(tmp_path, {**PLAIN, f"{live}/fullchain.pem": "chain", f"{live}/privkey.pem": "hush-key"})
        result = place.well("--yes")
        server = place.config().server
        assert server is not None
        assert server.public_url.startswith("https://pbx.example.com:")
        assert server.tls is not None
        key = tmp_path / "etc/ami-planfix/privkey.pem"
        assert key.read_text() == "hush-key"
        assert (stat.S_IMODE(key.stat().st_mode), key.stat().st_gid) == (0o640, GROUP)
        assert "hush-key" not in result.output
        hook = tmp_path / "etc/letsencrypt/renewal-hooks/deploy/ami-planfix"
        assert stat.S_IMODE(hook.stat().st_mode) == 0o755
        assert live in hook.read_text()

    def test_recordings_that_only_asterisks_group_may_read(self, tmp_path: Path) -> None:
        place = setup(tmp_path, PLAIN)
        monitor = tmp_path / "var/spool/asterisk/monitor"
        monitor.mkdir(parents=True)
        monitor.chmod(0o750)
        os.chown(monitor, 112, 118)
        place.well("--yes", *PROXY)
        drop_in = place.text("etc/systemd/system/ami-planfix.service.d/recordings.conf")
        assert "SupplementaryGroups=asterisk" in drop_in

    def test_a_unit_that_a_package_brought_is_left_alone(self, tmp_path: Path) -> None:
        place = setup(tmp_path, {**PLAIN, "/lib/systemd/system/ami-planfix.service": "[Unit]\n"})
        place.well("--yes", *PROXY)
        assert not (tmp_path / "etc/systemd/system/ami-planfix.service").exists()

    def test_one_of_several_daemons_is_not_set_up_as_if_it_were_the_only_one(self, tmp_path: Path) -> None:
        place = setup(tmp_path, PLAIN)
        result = place.run("--yes", *PROXY, "-c", "office")
        assert "ami-planfix@office" in str(result.exception)
        assert not place.programs.ran

    def test_a_program_in_somebodys_home_is_refused(self, tmp_path: Path) -> None:
        place = setup(tmp_path, PLAIN)
        place.machine.program = Path("/root/.local/bin/ami-planfix")
        result = place.run("--yes", *PROXY)
        assert "docs/admin/packages.md" in str(result.exception)
        assert not (tmp_path / CONFIG).exists()


class TestOthersFiles:
    def test_freepbxs_own_file_is_used_and_what_others_wrote_stays(self, tmp_path: Path) -> None:
        place = setup(tmp_path, FREEPBX, "16.28.0")
        before = place.text("etc/asterisk/manager_custom.conf")
        (tmp_path / "etc/asterisk/manager_custom.conf").chmod(0o664)
        place.well("--yes", *PROXY)
        assert stat.S_IMODE((tmp_path / "etc/asterisk/manager_custom.conf").stat().st_mode) == 0o660
        custom = place.text("etc/asterisk/manager_custom.conf")
        assert custom.startswith(before)
        assert place.text("etc/asterisk/manager.conf") == FREEPBX["/etc/asterisk/manager.conf"]
        found = conf.read(tmp_path / "etc/asterisk/manager.conf")
        general, user, other = (found.find(name) for name in ("general", "ami-planfix", "crm"))
        assert general is not None
        assert user is not None
        assert other is not None
        assert (general.get("enabled"), general.get("timestampevents")) == ("yes", "yes")
        assert other.get("secret") == "hush-of-another"
        config = place.config()
        assert config.makecall.channel == "Local/{extension}@originate-skipvm"
        assert config.makecall.context == "from-internal"
        assert config.contacts.hints == "ext-local"
        assert config.contacts.fastagi.port != 4573
        assert config.server is not None
        assert config.server.listen.port not in (8088, 8089)
        assert [trunk.channel for trunk in config.trunks] == ["PJSIP/megafon"]

    def test_our_block_is_written_anew_in_its_place(self, tmp_path: Path) -> None:
        place = setup(tmp_path, FREEPBX)
        place.well("--yes", *PROXY)
        file = tmp_path / "etc/asterisk/manager_custom.conf"
        good = file.read_text("utf-8")
        file.write_text(re.sub(r"write = .*", "write = all", good) + "\n[later]\nsecret = x\n", "utf-8")
        place.well("--yes", *PROXY)
        text = file.read_text("utf-8")
        assert text.count(BEGIN) == text.count(END) == 1
        assert "write = all" not in text
        assert "[later]\nsecret = x" in text
        assert "asterisk -rx manager reload" in place.programs.ran

    def test_a_user_that_was_made_by_hand_stays_and_its_secret_is_taken(self, tmp_path: Path) -> None:
        by_hand = PLAIN["/etc/asterisk/manager.conf"] + "[ami-planfix]\nsecret = by-hand\nread = call,dialplan\n"
        place = setup(tmp_path, {**PLAIN, "/etc/asterisk/manager.conf": by_hand})
        result = place.well("--yes", *PROXY)
        assert place.text("etc/asterisk/manager.conf") == by_hand
        assert not (tmp_path / "etc/asterisk/manager.d/ami-planfix.conf").exists()
        assert place.config().ami.secret.get_secret_value() == "by-hand"
        assert "stays as it is" in result.output

    def test_a_manager_conf_without_folder_gets_a_block_and_keeps_its_rights(self, tmp_path: Path) -> None:
        place = setup(tmp_path, CHAN_SIP)
        file = tmp_path / "etc/asterisk/manager.conf"
        os.chown(file, 112, 118)
        place.well("--yes", *PROXY)
        status = file.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o640, 112, 118)
        assert file.read_text().startswith(CHAN_SIP["/etc/asterisk/manager.conf"].rstrip("\n"))
        ami = place.config().ami
        assert (ami.host, ami.port) == ("192.0.2.5", 5039)
        assert place.config().makecall.channel == "SIP/{extension}"
        assert place.config().numbering.country == "DE"

    @pytest.mark.parametrize("planted", [".manager_custom.conf.new", "manager_custom.conf"])
    def test_what_asterisks_user_plants_in_its_folder_leads_root_nowhere(self, tmp_path: Path, planted: str) -> None:
        place = setup(tmp_path, FREEPBX)
        victim = tmp_path / "etc/shadow"
        victim.write_text("root:*:\n")
        victim.chmod(0o600)
        trap = tmp_path / "etc/asterisk" / planted
        trap.unlink(missing_ok=True)
        trap.symlink_to(victim)
        result = place.run("--yes", *PROXY)
        assert victim.read_text() == "root:*:\n"
        assert (victim.stat().st_uid, stat.S_IMODE(victim.stat().st_mode)) == (0, 0o600)
        assert (result.exit_code == 0) == (planted != "manager_custom.conf"), result.output
        assert trap.is_symlink()


class TestLookingOnly:
    def test_a_dry_run_shows_what_would_be_and_changes_nothing(self, tmp_path: Path) -> None:
        place = setup(tmp_path, FREEPBX)
        before = place.everything()
        result = place.well("--yes", "--dry-run", *PROXY)
        assert place.everything() == before
        assert place.programs.ran == []
        assert "+  public_url: https://pbx.example.com:8443" in result.output
        assert "+[ami-planfix]" in result.output
        assert "would run `systemctl enable --now ami-planfix`" in result.output

    def test_a_dry_run_shows_no_secret_neither_ours_nor_anothers(self, tmp_path: Path) -> None:
        live = "/etc/letsencrypt/live/pbx.example.com"
        files = {f"{live}/fullchain.pem": "chain", f"{live}/privkey.pem": "hush-key"}
        output = setup(tmp_path, {**FREEPBX, **files}).well("--yes", "--dry-run").output
        assert "hush" not in output
        assert "secret = [secret]" in output
        assert "token: [secret]" in output

    def test_print_gives_what_to_paste_and_changes_nothing(self, tmp_path: Path) -> None:
        place = setup(tmp_path, PLAIN)
        place.machine.is_root = False
        before = place.everything()
        result = place.well("--print")
        assert place.everything() == before
        user = re.search(r"^\[ami-planfix\]$.*?(?=^;? ?and in|\Z)", result.output, re.MULTILINE | re.DOTALL)
        assert user
        assert "permit = 127.0.0.1/255.255.255.255" in result.output
        assert "iptables -I INPUT -p tcp --dport 5038" in result.output
        assert "#include extensions-planfix.conf" in result.output

    def test_beside_the_pbx_it_is_set_up_here_and_printed_for_there(self, tmp_path: Path) -> None:
        place = setup(tmp_path, {"/etc/passwd": "", "/etc/group": f"ami-planfix:x:{GROUP}:\n"})
        result = place.well("--yes", "--pbx", "127.0.0.9", "--trunks", "PJSIP/line=74951230000", *PROXY)
        assert place.config().ami.host == "127.0.0.9"
        assert place.config().trunks[0].number == "74951230000"
        secret = place.config().ami.secret.get_secret_value()
        assert f"secret = {secret}" in result.output
        assert re.search(r"permit = 127\.0\.0\.\d+/255\.255\.255\.255", result.output)
        assert "asterisk -rx manager reload" not in place.programs.ran

    def test_without_root_it_says_what_to_do(self, tmp_path: Path) -> None:
        place = setup(tmp_path, PLAIN)
        place.machine.is_root = False
        result = place.run("--yes", *PROXY)
        assert "sudo" in str(result.exception)


class TestAsking:
    def test_each_question_has_a_reason_and_a_proposal_and_takes_only_what_it_can_be(self, tmp_path: Path) -> None:
        place = setup(tmp_path, PLAIN)
        answers = [
            "http://pbx.example.com", URL, "proxy",  # public_url twice, certificate
            "Russia", "RU", "none", "(", r"1\d\d", "", "nobody", "101", "", "", "",
        ]  # fmt: skip
        result = place.well(answers="\n".join(answers) + "\n")
        assert "Planfix sends clicks there" in result.output
        assert "Public address of this daemon [" in result.output
        assert result.output.count("allowed: ") == 4
        config = place.config()
        assert config.numbering.extensions == r"1\d\d"
        assert config.numbering.default_extension == "101"
        assert config.numbering.area_code == ""
        assert config.trunks[0].channel == "PJSIP/provider"

    def test_ended_while_it_asks_it_has_changed_nothing(self, tmp_path: Path) -> None:
        place = setup(tmp_path, PLAIN)
        before = place.everything()
        result = place.run(answers=f"{URL}\nproxy\n")
        assert result.exit_code == 1
        assert "nothing was changed" in result.output
        assert place.everything() == before

    @pytest.mark.parametrize(
        "wrong",
        [
            ("--public-url", "http://pbx.example.com"), ("--public-url", f"{URL}/planfix"), ("--country", "Russia"),
            ("--extensions", ".*"), ("--trunks", "provider"), ("--national", "8"), ("--certificate", "fullchain.pem"),
            ("--default-extension", "nobody"),
        ],
    )  # fmt: skip
    def test_a_wrong_option_is_told_and_nothing_is_done(self, tmp_path: Path, wrong: tuple[str, str]) -> None:
        place = setup(tmp_path, PLAIN)
        before = place.everything()
        result = place.run("--yes", "--public-url", URL, *wrong)
        assert result.exit_code == 2
        assert wrong[0] in result.output
        assert place.everything() == before

    def test_a_program_that_fails_is_told_with_its_words(self, tmp_path: Path) -> None:
        place = setup(tmp_path, PLAIN)
        place.programs.fails = "manager reload"
        result = place.run("--yes", *PROXY)
        assert "it is broken" in str(result.exception)
        assert "systemctl enable --now ami-planfix" not in place.programs.ran
        place.programs.fails = ""
        place.programs.ran.clear()
        place.well("--yes", *PROXY)
        assert "asterisk -rx manager reload" in place.programs.ran
        assert "systemctl enable --now ami-planfix" in place.programs.ran
