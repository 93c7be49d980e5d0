"""What the package raises."""


class ClientDisconnected(OSError):
    """send() after the client is gone. A server's own error: an application may let it pass."""

    def __init__(self, message="the client has disconnected"):
        super().__init__(message)


class Error(Exception):
    """gale refused or failed a call of the client module."""


class Unavailable(Error):
    """There is no gale to call: the program does not run in a worker, or gale is going away."""


class Saturated(Error):
    """The queue of the class is full: try again later."""


class Rejected(Error):
    """gale does not allow the call, or its arguments."""


class Failed(Error):
    """The job ran, and failed."""


class Expired(Error):
    """The job or call did not end in time."""


KINDS = {
    "unavailable": Unavailable,
    "saturated": Saturated,
    "rejected": Rejected,
    "failed": Failed,
    "timeout": Expired,
}


def of_kind(kind, message):
    return KINDS.get(kind, Error)(message)
