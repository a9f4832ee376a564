"""The rules in a sentence each, for people who ask why a call was reported as it was; docs/rules.md has them whole."""

from collections.abc import Mapping
from types import MappingProxyType

IN_SHORT: Mapping[str, str] = MappingProxyType(
    {
        "1": "an employee's phone begins to ring for the client",
        "2": "who is bridged with the client has the call; everybody else who was rung is called off",
        "3": "a phone that falls silent keeps its popup until something else happens; one that refuses while others "
        "ring is called off at once",
        "4": "the call ends when the client's channel does; it counts for the one who talked last, with all the talk",
        "5": "nobody answered: missed",
        "6": "nobody's phone rang: missed, for the first one dialled, else for the default extension",
        "7": "blind transfer: the new one takes over when bridged with the client",
        "8": "a consultation sends nothing; the colleague takes over when the client meets them",
        "9": "transferred to an outside number: the call stays with the one who transferred it",
        "10": "pickup: who picks the call up has it",
        "11": "forwarded: the phone it is forwarded to rings; outside phones dialled in an employee's name are theirs",
        "12": "parked, or back from a transfer: nothing, until somebody else has the call",
        "13": "`calls.transfers: each`: who talked keeps a success of their own",
        "14": "the client is being called",
        "15": "not answered: the cause of the leg dialled last, else its DialStatus, tells why",
        "16": "an outside number was dialled, and no leg was made",
        "18": "an outgoing call that is handed on follows the rules of transfers",
        "22": "a conference: who leaves while others still talk is called off",
        "25": "the client was dialled first: the call counts for the first employee whose phone rings",
    }
)
