"""Kinds of audio files: what Asterisk and its scripts write, and how converters are told what each is (pure)."""

from collections.abc import Mapping
from typing import NamedTuple

EMPTY = 60
"""Bytes of the longest header (wav49): a file that is no longer holds no sound."""


class Format(NamedTuple):
    """One kind of audio file."""

    content_type: str
    ffmpeg: tuple[str, ...]
    """Arguments that say what the input is: it is never guessed, a file may claim to be a playlist."""
    sox: tuple[str, ...]
    playable: bool = True
    """Browsers play it as it is."""


def _raw(codec: str, sox: str, rate: int = 8000) -> Format:
    return Format(
        "application/octet-stream",
        ("-f", codec, "-ar", str(rate), "-ac", "1"),
        ("-t", "raw", "-r", str(rate), "-e", sox, "-b", "16" if codec == "s16le" else "8", "-c", "1"),
        playable=False,
    )


FORMATS: Mapping[str, Format] = {
    ".wav": Format("audio/wav", ("-f", "wav"), ("-t", "wav")),
    ".WAV": Format("audio/wav", ("-f", "wav"), ("-t", "wav"), playable=False),
    ".mp3": Format("audio/mpeg", ("-f", "mp3"), ("-t", "mp3")),
    ".ogg": Format("audio/ogg", ("-f", "ogg"), ("-t", "ogg")),
    ".opus": Format("audio/ogg", ("-f", "ogg"), ("-t", "opus")),
    ".flac": Format("audio/flac", ("-f", "flac"), ("-t", "flac")),
    ".gsm": Format("audio/x-gsm", ("-f", "gsm"), ("-t", "gsm"), playable=False),
    ".sln": _raw("s16le", "signed-integer"),
    ".raw": _raw("s16le", "signed-integer"),
    ".sln16": _raw("s16le", "signed-integer", 16000),
    ".ulaw": _raw("mulaw", "mu-law"),
    ".alaw": _raw("alaw", "a-law"),
}
"""By the end of the name; `.WAV` is what Asterisk calls wav49: GSM inside."""


def written_extension(extension: str) -> str:
    """Tell how Asterisk ends the file for a name's extension (Asterisk: main/file.c, `build_filename`)."""
    return {"": ".raw", ".wav49": ".WAV", ".ul": ".ulaw", ".al": ".alaw"}.get(extension, extension)


def candidates(extension: str) -> tuple[str, ...]:
    """Tell the extensions to look for, best first: the one that was written, then what a script may have made."""
    written = written_extension(extension)
    return (written, *(other for other in FORMATS if other != written)) if written in FORMATS else tuple(FORMATS)
