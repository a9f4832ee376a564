"""What Asterisk really says, to be damaged: the captures of the tests, message by message."""

from functools import cache
from random import Random

from ami_planfix.ami import capture
from tests.calls.story import CAPTURES, Story, load, names
from tests.fuzz.mutation import damaged, poison


@cache
def messages(story: str) -> tuple[bytes, ...]:
    """Read a story's raw messages."""
    return tuple(capture.read(CAPTURES / f"{story}.ami"))


def a_story(random: Random) -> Story:
    """Choose a story."""
    return load(random.choice(names()))


def damaged_history(random: Random, story: str) -> list[bytes]:
    """Give a story's messages as no Asterisk would send them."""
    history = list(messages(story))
    for _ in range(random.randint(1, 10)):
        at = random.randrange(len(history)) if history else 0
        match random.randrange(8 if history else 1):
            case 0:
                history.insert(at, random.choice(messages(random.choice(names()))))
            case 1:
                del history[at : at + random.choice((1, 1, 1, 8))]
            case 2:
                history.insert(random.randint(0, len(history)), history[at])
            case 3:
                history.insert(random.randint(0, len(history)), history.pop(at))
            case 4:
                history[at] = damaged(random, history[at])
            case _:
                history[at] = with_another_value(random, history[at], story)
    return history


def with_another_value(random: Random, message: bytes, story: str) -> bytes:
    """Put something else into one header: poison, or what another header of the story says."""
    lines = message.split(b"\r\n")
    at = random.randrange(len(lines))
    name, colon, _ = lines[at].partition(b": ")
    if random.random() < 0.5:
        value = random.choice(random.choice(messages(story)).split(b"\r\n")).partition(b": ")[2]
    else:
        value = poison(random)
    lines[at] = name + (colon or b": ") + value
    return b"\r\n".join(lines)


def joined(history: list[bytes]) -> bytes:
    """Write messages as they come over the wire."""
    return b"".join(message + b"\r\n\r\n" for message in history)
