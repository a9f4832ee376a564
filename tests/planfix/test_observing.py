"""Who looks on says what would be sent, and gives nobody the right to listen."""

from structlog.testing import capture_logs

from ami_planfix.planfix.messages import DEFAULT_WORDING
from ami_planfix.planfix.observing import Observing
from ami_planfix.recordings.links import PATH, SIGNATURE


async def test_a_link_is_told_without_its_signature() -> None:
    with capture_logs() as log:
        await Observing(DEFAULT_WORDING).record(
            "1.2", f"https://pbx.example.com{PATH}/{'0a' * (SIGNATURE // 2)}/1.2.mp3"
        )
        await Observing(DEFAULT_WORDING).record("1.2", "https://records.example.com/2026/1.2.mp3")
    assert [line["record_link"] for line in log] == [
        f"https://pbx.example.com{PATH}/[redacted]/1.2.mp3",
        "https://records.example.com/2026/1.2.mp3",
    ]
