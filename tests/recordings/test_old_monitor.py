"""`Monitor()`, which Asterisk 16 still has: each side of the conversation in a file of its own."""

from pathlib import Path

import pytest

from ami_planfix.demo.planfix import EmbeddedPlanfix
from tests.daemon_process import PBX_TOKEN
from tests.lab import Lab
from tests.lab.stories.telling import converse
from tests.recordings.sounds import most
from tests.recordings.test_on_asterisk import Office

pytestmark = pytest.mark.asterisk


async def test_both_sides_are_heard_together(tmp_path: Path) -> None:
    async with Lab(version=16) as lab, EmbeddedPlanfix(pbx_token=PBX_TOKEN) as planfix:
        office = Office(lab, planfix, tmp_path)
        process = await office.start()
        conversation = await converse(lab, "74951230035")
        await conversation.client_hangs_up(lab)
        samples = await office.sound_of((await office.record()).fields["record_link"])
        assert await process.end() == 0
        assert sorted(path.name.rpartition("-")[2] for path in lab.recordings_directory.iterdir()) == [
            "in.wav",
            "out.wav",
        ]
    assert most(samples, lab.client.frequency) > 0.2
    assert most(samples, lab.phones["101"].frequency) > 0.2
