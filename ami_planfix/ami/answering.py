"""How a phone is asked to answer by itself: headers in its INVITE, which each driver is told in a way of its own.

No header is understood by all phones, and none hurts where it is not: `Call-Info` with `answer-after` (Yealink, Snom,
Grandstream, Cisco SPA, Fanvil), `Alert-Info` with `alert-autoanswer` (Yealink, Fanvil, Snom, Polycom), `Answer-Mode`
(RFC 5373: soft phones). FreePBX adds the Alert-Info that it finds in `ALERT_INFO` and takes it off calls that go out.
"""

HEADERS = (
    ("Call-Info", "<sip:answer>;answer-after=0"),
    ("Alert-Info", "<http://127.0.0.1>;info=alert-autoanswer;delay=0"),
    ("Answer-Mode", "Auto"),
)


def auto_answer(channel: str) -> tuple[tuple[str, str], ...]:
    """Tell the variables with which an Originate makes this channel's phone answer; none for other drivers."""
    driver = channel.partition("/")[0].upper()
    match driver:
        case "PJSIP":
            return tuple((f"PJSIP_HEADER(add,{name})", value) for name, value in HEADERS)
        case "SIP":
            return tuple((f"SIPADDHEADER{at:02}", f"{name}: {value}") for at, (name, value) in enumerate(HEADERS, 1))
        case "LOCAL":
            return (("__ALERT_INFO", HEADERS[1][1]), ("PLANFIX_AUTO_ANSWER", "1"))
        case _:
            return ()
