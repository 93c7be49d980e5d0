"""What the calls of the client module are on the wire, and their results."""
from typing import Any, Dict, List, NamedTuple, Optional, Union

from ._errors import Error, of_kind
from ._stream import octets, text

Data = Union[bytes, bytearray, memoryview, str]


class Position(NamedTuple):
    """Where a publication stands in the history of a channel. Another epoch is another history."""

    channel: str
    offset: int
    epoch: str
    duplicate: bool = False  # it was published before, with the same idempotency key


class Publication(NamedTuple):
    """What was published."""

    offset: int
    epoch: str
    time: float  # in seconds since 1970
    data: bytes
    event: str
    publisher: str  # the user, if a client published it


class History(NamedTuple):
    """A part of the history of a channel."""

    channel: str
    epoch: str
    offset: int  # of the newest publication
    missing: int  # publications between since and the first of these that are lost; -1: nobody knows
    publications: List[Publication]

    @property
    def position(self) -> Position:
        """The newest publication: since for the next call."""
        return Position(self.channel, self.offset, self.epoch)


def data_of(data):
    return data.encode() if isinstance(data, str) else octets(data, "data")


def options(**given: Any) -> Dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def publish(channel, data, event, idempotency_key, ttl):
    given = options(event=event, idempotency_key=idempotency_key, ttl=ttl)
    return text(channel, "channel"), data_of(data), given


def broadcast(channels, data, event, idempotency_key, ttl):
    if isinstance(channels, str):
        raise TypeError("channels must be several names: publish has one")
    names = [text(channel, "a channel") for channel in channels]
    return names, data_of(data), options(event=event, idempotency_key=idempotency_key, ttl=ttl)


def history(channel, since, limit, reverse):
    after = {"offset": since.offset, "epoch": since.epoch} if since is not None else None
    return text(channel, "channel"), options(since=after, limit=limit, reverse=bool(reverse))


def named(channel):
    return (text(channel, "channel"),)


def run(class_, name, payload, timeout):
    return text(class_, "class_"), text(name, "name"), data_of(payload), options(timeout=timeout)


def position(channel: Optional[str], value) -> Position:
    return Position(channel or value["channel"], value["offset"], value["epoch"], value.get("duplicate", False))


def positions(value) -> List[Union[Position, Error]]:
    return [of_kind(*v["error"]) if v.get("error") else position(None, v) for v in value]


def page(channel, value) -> History:
    publications = [Publication(*(p.get(name) for name in Publication._fields)) for p in value["publications"]]
    return History(channel, value["epoch"], value["offset"], value.get("missing", 0), publications)
