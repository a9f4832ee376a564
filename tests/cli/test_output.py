"""What is printed and written for a person: nothing from outside forges a row, steers a terminal or gets a file."""

import os
import stat
from pathlib import Path

import pytest

from ami_planfix.cli.output import print_table, private_file


def test_what_a_caller_is_called_begins_no_row_and_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["client", "answer"], [["79101234567\n999  delivered", "\x1b[2J\u202egpj"], ["1", "x"]])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


class TestPrivateFile:
    def test_is_for_its_owner_alone_even_if_it_was_not(self, tmp_path: Path) -> None:
        file = tmp_path / "story.ami"
        file.write_text("what was there before")
        file.chmod(0o644)
        with private_file(file) as stream:
            stream.write(b"new")
        assert file.read_bytes() == b"new"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_is_no_link_that_somebody_has_laid(self, tmp_path: Path) -> None:
        victim, link = tmp_path / "victim", tmp_path / "story.ami"
        victim.write_text("mine")
        link.symlink_to(victim)
        with pytest.raises(OSError, match="symbolic links"):
            private_file(link)
        assert victim.read_text() == "mine"

    @pytest.mark.skipif(os.geteuid() != 0, reason="gives a file away, as root")
    def test_is_no_file_of_somebody_else_who_then_could_read_it(self, tmp_path: Path) -> None:
        file = tmp_path / "story.ami"
        file.write_text("mine")
        os.chown(file, 12345, 12345)
        with pytest.raises(PermissionError, match="somebody else"):
            private_file(file)
        assert file.read_text() == "mine"
