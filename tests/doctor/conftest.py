"""A bed for each test."""

import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ami_planfix.demo.asterisk import Asterisk
from ami_planfix.demo.planfix import EmbeddedPlanfix
from tests.doctor.bed import PHONES, Bed


@pytest.fixture
async def bed() -> AsyncIterator[Bed]:
    devices = [{"Device": name, "State": "NOT_INUSE"} for name in PHONES]
    dialplan = [{"Context": "from-internal", "Extension": "_X.", "Application": "Dial", "AppData": "PJSIP/${EXTEN}"}]
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # others may come in here, as into /etc
        async with Asterisk(devices=devices, dialplan=dialplan) as asterisk, EmbeddedPlanfix() as planfix:
            yield Bed(asterisk, planfix, Path(folder))
