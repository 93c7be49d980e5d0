"""The calls of gale for code that blocks: WSGI views, threads, plain functions.

    import gale

    gale.sync.publish("news", b"...")

They are those of gale, without await. On the thread of an event loop they block
everything that runs there: await gale.publish instead.
"""
from typing import Dict, Iterable, List, Optional, Union

from . import _calls, _client
from ._calls import Data, History, Position
from ._errors import Error

__all__ = ["publish", "broadcast", "history", "presence", "run"]


def publish(
    channel: str,
    data: Data,
    *,
    event: Optional[str] = None,
    idempotency_key: Optional[str] = None,
    ttl: Optional[float] = None,
    timeout: Optional[float] = None,
) -> Position:
    """Is gale.publish."""
    payload = _calls.publish(channel, data, event, idempotency_key, ttl)
    return _calls.position(channel, _client.call("publish", payload, timeout))


def broadcast(
    channels: Iterable[str],
    data: Data,
    *,
    event: Optional[str] = None,
    idempotency_key: Optional[str] = None,
    ttl: Optional[float] = None,
    timeout: Optional[float] = None,
) -> List[Union[Position, Error]]:
    """Is gale.broadcast."""
    payload = _calls.broadcast(channels, data, event, idempotency_key, ttl)
    return _calls.positions(_client.call("broadcast", payload, timeout))


def history(
    channel: str,
    *,
    since: Optional[Position] = None,
    limit: Optional[int] = None,
    reverse: bool = False,
    timeout: Optional[float] = None,
) -> History:
    """Is gale.history."""
    return _calls.page(channel, _client.call("history", _calls.history(channel, since, limit, reverse), timeout))


def presence(channel: str, *, timeout: Optional[float] = None) -> Dict[str, bytes]:
    """Is gale.presence."""
    return _client.call("presence", _calls.named(channel), timeout)


def run(class_: str, name: str, payload: Data = b"", *, timeout: Optional[float] = None) -> bytes:
    """Is gale.run."""
    return _client.call("run", _calls.run(class_, name, payload, timeout), timeout)
