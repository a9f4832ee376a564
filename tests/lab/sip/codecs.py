"""G.711 (both laws) and the tones that tell who is heard, without a library for either."""

import functools
import math
from collections.abc import Iterable

PCMU = 0
PCMA = 8
RATE = 8000
FRAME = 160  # samples in 20 ms


def _ulaw(byte: int) -> int:
    byte = ~byte & 0xFF
    magnitude = (((byte & 0x0F) << 3) + 0x84 << ((byte & 0x70) >> 4)) - 0x84
    return -magnitude if byte & 0x80 else magnitude


def _alaw(byte: int) -> int:
    byte ^= 0x55
    magnitude = ((byte & 0x0F) << 4) + 8
    exponent = (byte & 0x70) >> 4
    if exponent:
        magnitude = (magnitude + 0x100) << (exponent - 1)
    return magnitude if byte & 0x80 else -magnitude


_DECODED = {PCMU: [_ulaw(byte) for byte in range(256)], PCMA: [_alaw(byte) for byte in range(256)]}


def decode(payload: int, data: bytes) -> list[int]:
    """Return the samples of G.711 bytes."""
    table = _DECODED[payload]
    return [table[byte] for byte in data]


def _nearest(payload: int, sample: float) -> int:
    table = _DECODED[payload]
    return min(range(256), key=lambda byte: abs(table[byte] - sample))


@functools.cache
def tone(payload: int, frequency: int) -> bytes:
    """Return a second of a sine wave, ready to loop (whole hertz); frequency 0 is silence."""
    if not frequency:
        return bytes([_nearest(payload, 0)]) * RATE
    cycle = RATE // math.gcd(RATE, frequency)
    wave = [6000 * math.sin(2 * math.pi * frequency * n / RATE) for n in range(cycle)]
    return bytes(_nearest(payload, sample) for sample in wave) * (RATE // cycle)


def loudness(samples: list[int], frequency: int) -> float:
    """Return which share of the sound has that frequency, 0 to 1 (Goertzel's algorithm)."""
    energy = sum(sample * sample for sample in samples)
    if not samples or energy < len(samples) * 100**2:  # as good as silence
        return 0.0
    turn = 2 * math.cos(2 * math.pi * frequency / RATE)
    before, last = 0.0, 0.0
    for sample in samples:
        before, last = last, sample + turn * last - before
    power = before * before + last * last - turn * before * last
    return min(1.0, 2 * power / (len(samples) * energy))


def samples_to_wav_data(samples: Iterable[int]) -> bytes:
    """Return 16-bit little-endian PCM."""
    return b"".join(int(sample).to_bytes(2, "little", signed=True) for sample in samples)
