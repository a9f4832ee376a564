"""Makes records as Asterisk and FreePBX write them."""

import csv
import io
from datetime import UTC, datetime

from ami_planfix.backfill.records import Value

NOW = 1_795_635_000.0


def wall(at: float) -> str:
    """Write a time as a clock in UTC shows it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def cdr_row(
    number: int = 1,
    start: float = NOW,
    answer: float | None = None,
    seconds: int = 5,
    channel: str = "",
    dstchannel: str = "",
    src: str = "79101234567",
    dst: str = "74951230001",
    disposition: str = "",
    uniqueid: str = "",
    **more: Value,
) -> dict[str, Value]:
    """Make a row as FreePBX has it: the client calls 101."""
    uniqueid = uniqueid or f"{int(start)}.{number}"
    talk = int(start + seconds - answer) if answer is not None else 0
    return {
        "calldate": wall(start),
        "clid": f'"" <{src}>',
        "src": src,
        "dst": dst,
        "dcontext": "from-trunk",
        "channel": channel or f"PJSIP/provider-{number:08x}",
        "dstchannel": dstchannel or f"PJSIP/101-{number + 1000:08x}",
        "lastapp": "Dial",
        "lastdata": "PJSIP/101,20",
        "duration": seconds,
        "billsec": talk,
        "disposition": disposition or ("ANSWERED" if answer is not None else "NO ANSWER"),
        "uniqueid": uniqueid,
        "linkedid": uniqueid,
        "sequence": number,
        **more,
    }


def cel_rows(number: int = 1, start: float = NOW, seconds: float = 5.0, *, ends: bool = True) -> list[dict[str, Value]]:
    """Make the rows of a client who rings 101 in vain; without `ends` it goes on."""
    client, leg = f"{int(start)}.{number}", f"{int(start)}.{number + 1}"
    caller, phone = f"PJSIP/provider-{number:08x}", f"PJSIP/101-{number:08x}"
    common: dict[str, Value] = {"linkedid": client, "context": "from-trunk"}
    of_client: dict[str, Value] = {
        **common, "uniqueid": client, "channame": caller, "cid_num": "79101234567", "exten": "74951230001",
    }  # fmt: skip
    of_leg: dict[str, Value] = {**common, "uniqueid": leg, "channame": phone, "cid_num": "101", "exten": "s"}
    rows: list[dict[str, Value]] = [
        {**of_client, "eventtype": "CHAN_START", "eventtime": start},
        {**of_client, "eventtype": "APP_START", "eventtime": start, "appname": "Dial", "appdata": "PJSIP/101,20"},
        {**of_leg, "eventtype": "CHAN_START", "eventtime": start + 0.1},
    ]
    if ends:
        caused = '{"hangupcause":16,"hangupsource":"' + caller + '","dialstatus":"CANCEL"}'
        for of in (of_leg, of_client):
            rows.append({**of, "eventtype": "HANGUP", "eventtime": start + seconds, "extra": caused})
            rows.append({**of, "eventtype": "CHAN_END", "eventtime": start + seconds})
    return rows


CSV = (
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata", "calldate",
    "answer", "end", "duration", "billsec", "disposition", "amaflags", "uniqueid", "userfield", "peeraccount",
    "linkedid", "sequence",
)  # fmt: skip


def csv_line(row: dict[str, Value]) -> str:
    """Write a row as cdr_csv does, with all that it can be told to add."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(
        ["" if (v := row.get(n)) is None else v for n in CSV]
    )
    return out.getvalue()
