"""The audio of one call: real RTP both ways, tones, and key presses (RFC 3550, RFC 4733)."""

import asyncio
import random
import struct
import wave
from pathlib import Path

from tests.lab.sip.codecs import FRAME, PCMU, RATE, decode, loudness, samples_to_wav_data, tone
from tests.lab.sip.messages import Session
from tests.lab.waiting import PATIENCE, Noticeboard

KEYS = "0123456789*#ABCD"
PRESS = 0.12  # seconds that a key is held
GAP = 0.08


class Media(asyncio.DatagramProtocol):
    """A UDP port that plays a tone (or silence) while the call lasts, and keeps what it hears."""

    def __init__(self, frequency: int) -> None:
        self.frequency = frequency
        self.heard = bytearray()
        self.pressed = ""  # keys that the other side pressed
        self.payload = PCMU
        self._board = Noticeboard()
        self._transport: asyncio.DatagramTransport | None = None
        self._playing: asyncio.Task[None] | None = None
        self._far: Session | None = None
        self._sequence = random.randrange(1 << 15)
        self._timestamp = random.randrange(1 << 30)
        self._source = random.randrange(1 << 32)
        self._pressing = asyncio.Lock()

    async def open(self, host: str) -> Session:
        """Bind a port of the kernel's choice; returns what to offer."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, 0))
        return Session(host, self._transport.get_extra_info("sockname")[1])

    def connect(self, far: Session) -> None:
        """Send to where the other side wants it, from now on."""
        self._far = far
        if far.payloads:
            self.payload = far.payloads[0]
        if self._playing is None:
            self._playing = asyncio.create_task(self._play())

    def close(self) -> None:
        if self._playing:
            self._playing.cancel()
        if self._transport:
            self._transport.close()

    async def hears(self, frequency: int, seconds: float = PATIENCE) -> None:
        """Wait until that tone is what comes in."""
        await self._board.until(f"hearing {frequency} Hz", lambda: self._loudness(frequency) > 0.3, seconds)

    async def hears_anything(self, seconds: float = PATIENCE) -> None:
        """Wait for the first RTP packet."""
        await self._board.until("any audio", lambda: bool(self.heard), seconds)

    async def press(self, keys: str) -> None:
        """Press keys one after another, as RFC 4733 events."""
        async with self._pressing:
            for key in keys:
                await self._press(KEYS.index(key))
                await asyncio.sleep(GAP)

    def write_wav(self, path: Path) -> None:
        """Write down all that was heard."""
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(samples_to_wav_data(decode(self.payload, bytes(self.heard))))

    def datagram_received(self, data: bytes, addr: tuple[str | int, int]) -> None:
        if len(data) <= 12:
            return
        if data[1] & 0x7F == self.payload:
            self.heard += data[12:]
        elif data[1] & 0x80 and len(data) == 16 and data[12] < len(KEYS):  # an event's first packet is marked
            self.pressed += KEYS[data[12]]
        self._board.changed()

    def _loudness(self, frequency: int) -> float:
        return loudness(decode(self.payload, bytes(self.heard[-4 * FRAME :])), frequency)

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        position = 0
        while True:
            sound = tone(self.payload, self.frequency)
            if not self._pressing.locked():
                self._send(self.payload, sound[position : position + FRAME])
            position = (position + FRAME) % RATE
            self._timestamp += FRAME
            due = max(due + FRAME / RATE, loop.time() - 0.1)  # after a stall, do not flood
            await asyncio.sleep(due - loop.time())

    async def _press(self, event: int) -> None:
        start = self._timestamp
        packets = int(PRESS * 50)
        for number in range(packets + 2):  # the end is said three times
            last = 0x80 if number >= packets - 1 else 0
            duration = min(number + 1, packets) * FRAME
            data = struct.pack("!BBH", event, last | 10, duration)
            payload = self._far.event_payload if self._far else 0
            self._send(payload | (0x80 if number == 0 else 0), data, start)
            if number < packets:
                await asyncio.sleep(FRAME / RATE)

    def _send(self, payload: int, data: bytes, timestamp: int | None = None) -> None:
        if not self._transport or self._transport.is_closing() or not self._far or not self._far.port:
            return
        stamp = (self._timestamp if timestamp is None else timestamp) & 0xFFFFFFFF
        header = struct.pack("!BBHII", 0x80, payload, self._sequence & 0xFFFF, stamp, self._source)
        self._sequence += 1
        self._transport.sendto(header + data, (self._far.host, self._far.port))
