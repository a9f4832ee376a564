"""How soon the first INCOMING of a call is at Planfix, after the event of Asterisk that causes it."""

from tests.daemon.running import Post

RINGING = {"RINGING", "PROGRESS"}


def delays(post: Post) -> list[float]:
    """Measure the calls of one story: seconds from the event's Timestamp to the arrival of the first INCOMING."""
    found: list[float] = []
    met: set[str] = set()
    for one in post.received:
        fields = one.fields
        if fields.get("event") == "INCOMING" and fields["callid"] not in met:
            met.add(fields["callid"])
            if (rang := _rang(post, fields["ext"])) is not None:
                found.append(one.at - rang)
    return found


def _rang(post: Post, extension: str) -> float | None:
    device = f"{post.lab.device(extension)}-"
    for event in post.lab.ami.events[post.lab.story_begins :]:
        rings = (
            event["Event"] == "Newstate"
            and event["ChannelStateDesc"] == "Ringing"
            and event["Channel"].startswith(device)
        ) or (
            event["Event"] == "DialState"
            and event["DialStatus"] in RINGING
            and event.get("DestChannel", "").startswith(device)
        )
        if rings:
            return float(event["Timestamp"])
    return None
