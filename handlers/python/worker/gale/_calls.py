"""What the calls of the client module are on the wire, and their results."""
from typing import Any, Dict, List, NamedTuple, Optional, Union

from ._stream import octets, text

Data = Union[bytes, bytearray, memoryview, str]


class Position(NamedTuple):
    """Where a publication stands in the history of a channel. Another epoch is another history."""

    channel: str
    offset: int
    epoch: str


class Publication(NamedTuple):
    """What was published."""

    offset: int
    data: bytes
    event: str


class History(NamedTuple):
    """A part of the history of a channel, and where it ends now."""

    epoch: str
    offset: int
    publications: List[Publication]


def data_of(data):
    return data.encode() if isinstance(data, str) else octets(data, "data")


def options(**given: Any) -> Dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def publish(channel, data, event, idempotency_key):
    return text(channel, "channel"), data_of(data), options(event=event, idempotency_key=idempotency_key)


def broadcast(channels, data, event, idempotency_key):
    if isinstance(channels, str):
        raise TypeError("channels must be several names: publish has one")
    names = [text(channel, "a channel") for channel in channels]
    return names, data_of(data), options(event=event, idempotency_key=idempotency_key)


def history(channel, since, limit, reverse):
    after = {"offset": since.offset, "epoch": since.epoch} if since is not None else None
    return text(channel, "channel"), options(since=after, limit=limit, reverse=bool(reverse))


def named(channel):
    return (text(channel, "channel"),)


def run(class_, name, payload, timeout):
    return text(class_, "class_"), text(name, "name"), data_of(payload), options(timeout=timeout)


def position(channel: Optional[str], value) -> Position:
    return Position(channel or value["channel"], value["offset"], value["epoch"])


def positions(value):
    return [position(None, v) for v in value]


def page(value):
    publications = [Publication(p["offset"], p["data"], p.get("event") or "") for p in value["publications"]]
    return History(value["epoch"], value["offset"], publications)
