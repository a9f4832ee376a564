"""Whom the data of `Dial` names, by the channel that came of it (pure)."""


def argument_for(data: str, channel: str) -> str:
    """Tell what the channel's driver was told to dial: `79101234567@provider`; `''` if it is not named there."""
    found = (argument for argument in data.partition(",")[0].split("&") if names(argument, channel))
    return next(found, "").strip().partition("/")[2]


def names(argument: str, channel: str) -> bool:
    """Tell whether an argument of `Dial` leads to this channel."""
    driver, _, rest = argument.strip().partition("/")
    own_driver, _, own = channel.partition("/")
    if driver.casefold() != own_driver.casefold():
        return False
    name = own.rpartition("-")[0].casefold()
    if driver.casefold() == "local":
        return name == rest.partition("/")[0].casefold()
    peers = (rest, rest.rpartition("@")[2], rest.partition("/")[0])
    return name in {peer.casefold() for peer in peers}
