"""gale, as an application that it runs sees it.

    import gale

    await gale.publish("news", b"...")             # to everybody who subscribes, whom gale holds
    page = await gale.history("news", limit=10)
    picture = await gale.run("cpu", "thumbnail", data)   # a job of gale's executor

    @gale.job("report")                            # a job that gale, or another worker, gives to this one
    def report(payload: bytes) -> bytes: ...

    @gale.on_subscribe                             # may this client subscribe?
    def allow(request: gale.Subscription) -> bool: ...

The calls are coroutines. gale.sync has the same ones for code that blocks. They raise
gale.Error, and gale.Unavailable where no gale runs the program.
"""
from typing import Any, Awaitable, Callable, Dict, Iterable, List, NamedTuple, Optional, TypeVar, Union

from . import _calls, _client, _jobs
from ._calls import Data, History, Position, Publication
from ._errors import ClientDisconnected, Error, Expired, Failed, Rejected, Saturated, Unavailable

__all__ = [
    "publish", "broadcast", "history", "presence", "run", "draining", "is_draining", "job", "on_subscribe", "sync",
    "Position", "Publication", "History", "Subscription",
    "ClientDisconnected", "Error", "Unavailable", "Saturated", "Rejected", "Failed", "Expired",
]  # fmt: skip

H = TypeVar("H", bound=Callable[..., Any])


class Subscription(NamedTuple):
    """What a client asks for."""

    channel: str
    user: Optional[str] = None  # "" for nobody in particular
    action: Optional[str] = None  # subscribe, publish or presence
    info: Any = None  # what its token says of it
    address: Optional[str] = None  # where it comes from


async def publish(
    channel: str,
    data: Data,
    *,
    event: Optional[str] = None,
    idempotency_key: Optional[str] = None,
    ttl: Optional[float] = None,
    timeout: Optional[float] = None,
) -> Position:
    """Publishes to a channel of gale's hub. Returns the position in its history.

    A second publication with the same idempotency key is none. str goes as UTF-8.
    ttl is for how many seconds the history keeps it; None is as the hub is configured.
    timeout is how many seconds to wait for gale; None is without end.
    """
    payload = _calls.publish(channel, data, event, idempotency_key, ttl)
    return _calls.position(channel, await _client.call_async("publish", payload, timeout))


async def broadcast(
    channels: Iterable[str],
    data: Data,
    *,
    event: Optional[str] = None,
    idempotency_key: Optional[str] = None,
    ttl: Optional[float] = None,
    timeout: Optional[float] = None,
) -> List[Union[Position, Error]]:
    """Publishes the same to several channels. In place of a position stands the error of a channel that failed."""
    payload = _calls.broadcast(channels, data, event, idempotency_key, ttl)
    return _calls.positions(await _client.call_async("broadcast", payload, timeout))


async def history(
    channel: str,
    *,
    since: Optional[Position] = None,
    limit: Optional[int] = None,
    reverse: bool = False,
    timeout: Optional[float] = None,
) -> History:
    """Reads what a channel keeps: after a position, at most limit publications, oldest first if not reverse."""
    payload = _calls.history(channel, since, limit, reverse)
    return _calls.page(channel, await _client.call_async("history", payload, timeout))


async def presence(channel: str, *, timeout: Optional[float] = None) -> Dict[str, bytes]:
    """Returns who subscribes to a channel: what is known of each client, by its identifier."""
    return await _client.call_async("presence", _calls.named(channel), timeout)


async def run(class_: str, name: str, payload: Data = b"", *, timeout: Optional[float] = None) -> bytes:
    """Runs a job in a class of gale's executor, and returns its result.

    Raises Saturated when the queue of the class is full, Failed when the job failed
    and Expired after timeout seconds.
    """
    return await _client.call_async("run", _calls.run(class_, name, payload, timeout), timeout)


async def draining() -> None:
    """Returns when gale is about to stop: what goes on for long should come to its end."""
    await _client.draining()


def is_draining() -> bool:
    """Says whether gale is about to stop."""
    return _client.is_draining


def job(name: str) -> Callable[[H], H]:
    """Registers a function, plain or async, for jobs of this name: it takes and returns bytes.

    Plain functions run in threads, coroutine functions on the worker's loop. An
    exception fails the job.
    """
    if not isinstance(name, str) or not name:
        raise TypeError('use it with the name of the jobs: @gale.job("report")')

    def register(handler: H) -> H:
        _jobs.register(name, handler)
        return handler

    return register


def on_subscribe(callback: Union[Callable[[Subscription], bool], Callable[[Subscription], Awaitable[bool]]]) -> Any:
    """Registers the function that says whether a client may do what it asks for. An exception means no."""
    _jobs.register(_jobs.SUBSCRIBE, _jobs.authoriser(callback, Subscription))
    return callback


from . import sync  # noqa: E402 (it has the calls above, for code that blocks)
