"""Which file is opened for a name that Asterisk told, and that nothing outside the folders ever is."""

import os
from datetime import datetime
from pathlib import Path

import pytest

from ami_planfix.errors import RecordingError
from ami_planfix.recordings.files import Shelf

ASTERISK = Path("/var/spool/asterisk/monitor")
AT = datetime(2026, 3, 7, 12, 30).astimezone().timestamp()
SOUND = b"R" * 100


class Folders:
    def __init__(self, root: Path) -> None:
        self.monitor = root / "monitor"
        self.archive = root / "archive"
        self.outside = root / "outside"
        for folder in (self.monitor, self.archive, self.outside):
            folder.mkdir()
        self.shelf = Shelf(self.monitor, ASTERISK, (self.archive,))

    def write(self, path: Path, content: bytes = SOUND) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def opened(self, name: str) -> list[Path]:
        part = self.shelf.open(name, AT)
        part.close()
        return [side.path for side in part.sides]


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


class TestWhichFile:
    def test_the_name_that_asterisk_told_below_our_folder(self, folders: Folders) -> None:
        there = folders.write(folders.monitor / "2026/03/07/in-1.wav")
        assert folders.opened(f"{ASTERISK}/2026/03/07/in-1.wav") == [there]

    def test_a_relative_name_begins_at_the_folder(self, folders: Folders) -> None:
        there = folders.write(folders.monitor / "in-1.wav")
        assert folders.opened("in-1.wav") == [there]

    def test_a_script_made_an_mp3_and_removed_the_wav(self, folders: Folders) -> None:
        there = folders.write(folders.monitor / "in-1.mp3")
        assert folders.opened(f"{ASTERISK}/in-1.wav") == [there]

    def test_the_original_is_preferred_while_it_is_there(self, folders: Folders) -> None:
        folders.write(folders.monitor / "in-1.mp3")
        there = folders.write(folders.monitor / "in-1.wav")
        assert folders.opened(f"{ASTERISK}/in-1.wav") == [there]

    def test_wav49_is_written_as_capital_wav(self, folders: Folders) -> None:
        there = folders.write(folders.monitor / "in-1.WAV")
        assert folders.opened(f"{ASTERISK}/in-1.wav49") == [there]

    def test_a_name_without_extension_has_a_dot_of_its_own(self, folders: Folders) -> None:
        there = folders.write(folders.monitor / "q-1700000000.12.wav")
        assert folders.opened(f"{ASTERISK}/q-1700000000.12") == [there]

    @pytest.mark.parametrize(
        "place", ["2026/03/07/in-1.wav", "2026/03/in-1.mp3", "2026/in-1.wav", "2026-03-07/in-1.wav", "in-1.wav"]
    )
    def test_moved_into_an_archive_folder_by_its_day(self, folders: Folders, place: str) -> None:
        there = folders.write(folders.archive / place)
        assert folders.opened(f"{ASTERISK}/in-1.wav") == [there]

    def test_both_sides_of_an_old_monitor_until_they_are_mixed(self, folders: Folders) -> None:
        sides = [folders.write(folders.monitor / f"a-{side}.wav") for side in ("in", "out")]
        assert folders.opened(f"{ASTERISK}/a.wav") == sides
        mixed = folders.write(folders.monitor / "a.wav")
        assert folders.opened(f"{ASTERISK}/a.wav") == [mixed]

    def test_a_folder_of_asterisk_that_is_another_one_here(self, tmp_path: Path) -> None:
        (tmp_path / "in-1.wav").write_bytes(SOUND)
        part = Shelf(tmp_path, Path("/pbx/rec")).open("/pbx/rec/in-1.wav", AT)
        assert [side.path for side in part.sides] == [tmp_path / "in-1.wav"]
        part.close()

    def test_the_fingerprint_changes_with_the_file(self, folders: Folders) -> None:
        there = folders.write(folders.monitor / "in-1.wav")

        def fingerprint() -> str:
            with folders.shelf.open("in-1.wav", AT).sides[0] as opened:
                return opened.fingerprint

        first = fingerprint()
        assert fingerprint() == first
        there.write_bytes(SOUND * 2)
        assert fingerprint() != first


class TestNothingOutside:
    @pytest.mark.parametrize(
        "name",
        [
            "/etc/passwd",
            "../outside/secret.wav",
            f"{ASTERISK}/../outside/secret.wav",
            f"{ASTERISK}/2026/../../outside/secret.wav",
            f"{ASTERISK}-other/secret.wav",
            f"{ASTERISK}",
            "",
            ".",
            "in\0.wav",
            "in\r\nX: 1.wav",
            "a" * 5000 + ".wav",
        ],
    )
    def test_a_name_that_leads_elsewhere_is_refused(self, folders: Folders, name: str) -> None:
        folders.write(folders.outside / "secret.wav")
        with pytest.raises(RecordingError):
            folders.opened(name)
        assert folders.shelf.folders(name) == () or name == "a" * 5000 + ".wav"

    def test_a_link_to_a_file_outside_is_not_followed(self, folders: Folders) -> None:
        (folders.monitor / "in-1.wav").symlink_to(folders.write(folders.outside / "secret.wav"))
        with pytest.raises(RecordingError):
            folders.opened("in-1.wav")

    def test_a_folder_that_is_a_link_to_the_outside_is_not_followed(self, folders: Folders) -> None:
        folders.write(folders.outside / "secret.wav")
        (folders.monitor / "2026").symlink_to(folders.outside)
        with pytest.raises(RecordingError):
            folders.opened("2026/secret.wav")

    def test_a_link_within_the_folders_is_followed(self, folders: Folders) -> None:
        there = folders.write(folders.archive / "2026/in-1.wav")
        (folders.monitor / "in-1.wav").symlink_to(there)
        assert folders.opened("in-1.wav") == [there]

    def test_a_link_to_itself_is_no_file(self, folders: Folders) -> None:
        (folders.monitor / "in-1.wav").symlink_to("in-1.wav")
        with pytest.raises(RecordingError):
            folders.opened("in-1.wav")

    def test_a_pipe_or_a_folder_of_that_name_is_no_file_and_nobody_waits_for_it(self, folders: Folders) -> None:
        os.mkfifo(folders.monitor / "in-1.wav")
        (folders.monitor / "in-2.wav").mkdir()
        for name in ("in-1.wav", "in-2.wav"):
            with pytest.raises(RecordingError):
                folders.opened(name)

    def test_a_link_to_what_is_no_audio_within_the_folders_is_refused(self, folders: Folders) -> None:
        (folders.monitor / "in-1.wav").symlink_to(folders.write(folders.monitor / "notes.txt"))
        with pytest.raises(RecordingError):
            folders.opened("in-1.wav")

    def test_no_descriptor_is_left_open(self, folders: Folders) -> None:
        (folders.monitor / "in-1.wav").symlink_to(folders.write(folders.outside / "secret.wav"))
        folders.write(folders.monitor / "2026/in-2.wav")
        before = len(os.listdir("/proc/self/fd"))
        for name in ("in-1.wav", "2026/in-2.wav", "in-3.wav", "2026"):
            try:
                folders.opened(name)
            except RecordingError:
                continue
        assert len(os.listdir("/proc/self/fd")) == before


class TestWhatIsSaid:
    def test_a_missing_file_names_the_places(self, folders: Folders) -> None:
        with pytest.raises(RecordingError, match=r"recording /var.*/in-1\.wav is not in .*monitor or .*archive"):
            folders.opened(f"{ASTERISK}/in-1.wav")

    def test_a_file_elsewhere_names_the_key(self, folders: Folders) -> None:
        with pytest.raises(RecordingError, match=r"/tmp/x\.wav is not in recordings\.asterisk_directory"):
            folders.opened("/tmp/x.wav")
