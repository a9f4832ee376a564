"""A real Asterisk (22 or 16) with SIP phones and providers around it, for tests and for recording captures.

How to use it. Once, as root on Debian: `python -m tests.lab install`. Then in a test (marker `asterisk`):

    from tests.lab import Lab, talk

    async with Lab(version=22, driver="pjsip") as lab:
        client = await lab.client.dial("74951230001")      # the client calls the DID that leads to 101
        part = await lab.phones["101"].rings()              # 180 Ringing
        await part.answer()
        await talk(client, part, 1.5)                       # both hear each other's tone
        await client.hang_up()
        await lab.quiet()                                   # the last channel is gone

or a whole story: `from tests.lab.stories import incoming; await incoming.direct_client_hangs_up(lab)`.

- `lab.asterisk`: `ami_host`, `ami_port`, `ami_username`, `ami_secret` (the daemon's, with least rights),
  `restart()`, `log()`.
- `lab.phones["101"]` .. `["105"]`, `["105b"]`: `dial(number)`, `rings()`, `incoming()`, or set `behaviour`,
  an async function that is given each call. A call: `answer()`, `refuse(486)`, `redirect("102")`, `hold()`,
  `transfer("102")`, `transfer_to(other_call)`, `press("1")`, `hang_up()`; `ringing()`, `answered()`,
  `ended()`; `invite` has the headers.
- `lab.client`, `lab.outsider`, `lab.mobile`, `lab.provider.line(number)`, `lab.backup.anyone`: the people
  outside.
- `lab.ami`: `action(name, **headers)` with full rights, `event(name, **headers)`, `channel(device)`,
  `quiet()`.
- `lab.recordings_directory` (outside), `lab.asterisk.asterisk_recordings_directory` (as Asterisk calls it).
- `etc/extensions.conf` says where each number leads.

`python -m tests.lab stories` lists the stories, `python -m tests.lab record --asterisk 22 --out DIR`
records them.
"""

from tests.lab.pbx import Lab, talk

__all__ = ["Lab", "talk"]
