"""The wire to gale: kinds of frames, and messages from and to bytes. PROTOCOL.md describes it."""
import marshal
import threading

VERSION = 1
MAX_MESSAGE = 1 << 20  # bytes after the length
PIECE = 1 << 16  # bytes of a body or message in one frame, at most

# Link, from gale.
REQUEST, WEBSOCKET, WSGI, BODY, MESSAGE, GONE, CREDIT, TAKEN = range(1, 9)
# Link, to gale.
RESPONSE, START, CHUNK, TRAILERS, HINT, FILE, ACCEPT, SEND, CLOSE, TOOK, END, SEEN, DENY = range(1, 14)
# Control, from gale.
HELLO, LINK, PING, STOP, JOB, CANCEL, REPLY, DRAIN = range(1, 9)
# Control, to gale.
READY, FAILED, PONG, BLOCKED, CALL, RESULT, STOPPED = range(1, 8)


class Inbox:
    """Takes the messages of one socket out of one buffer that is as large as any message."""

    __slots__ = ("buffer", "have")

    def __init__(self):
        self.buffer = memoryview(bytearray(4 + MAX_MESSAGE))
        self.have = 0

    def read(self, sock):
        """Reads once and returns the messages that are complete, each a list of frames.

        Raises EOFError when gale has closed the socket, else what the socket raises.
        """
        buffer = self.buffer
        n = sock.recv_into(buffer[self.have :] if self.have else buffer)
        if not n:
            raise EOFError
        end = self.have + n
        messages = []
        at = 0
        while end - at >= 4:
            stop = at + 4 + int.from_bytes(buffer[at : at + 4], "little")
            if stop > end:
                break
            messages.append(marshal.loads(buffer[at + 4 : stop]))
            at = stop
        self.have = end - at
        if at and self.have:
            buffer[: self.have] = buffer[at:end]
        return messages


def encode(frames, refuse):
    """Returns the bytes of messages with these frames, in order.

    A frame that cannot go (its values are not of the builtin types, or are too
    large) is left out, and refuse(frame, reason) may return one in its place:
    the others are other streams'.
    """
    try:
        data = marshal.dumps(frames, 2)
    except ValueError:
        frames = [f for f in (_sound(f, refuse) for f in frames) if f]
        data = marshal.dumps(frames, 2)
    if len(data) <= MAX_MESSAGE:
        return len(data).to_bytes(4, "little") + data
    if len(frames) > 1:
        half = len(frames) // 2
        return encode(frames[:half], refuse) + encode(frames[half:], refuse)
    other = refuse(frames[0], "more than 1 MiB of headers or other values in one message")
    return encode([other], refuse) if other else b""


def _sound(frame, refuse):
    try:
        marshal.dumps(frame, 2)
    except ValueError as e:
        return refuse(frame, "a value of a type that cannot be sent: %s" % e)
    return frame


class Outbox:
    """Frames that wait for one non-blocking socket. Any thread may add and write.

    frames is one list for ever, which is only appended to and cut at its front,
    so that append needs no lock.
    """

    __slots__ = ("sock", "frames", "rest", "lock", "seen", "told")

    def __init__(self, sock):
        self.sock = sock
        self.frames = []
        self.rest = b""  # of a batch that the socket has taken in part
        self.lock = threading.Lock()
        self.seen = self.told = 0  # messages that came, and those that gale knows we have seen

    def write(self):
        """Sends what there is, until the socket is full. Returns whether all went."""
        with self.lock:
            while True:
                if self.rest:
                    try:
                        n = self.sock.send(self.rest)
                    except (BlockingIOError, InterruptedError):
                        return False
                    if n < len(self.rest):
                        self.rest = memoryview(self.rest)[n:]
                        continue
                    self.rest = b""
                batch = self.frames[:]
                del self.frames[: len(batch)]
                if self.seen != self.told:
                    self.told = self.seen
                    batch.insert(0, (SEEN, self.told))
                if not batch:
                    return True
                self.rest = encode(batch, refuse)


def refuse(frame, reason):
    """Ends the stream of a frame that cannot go."""
    return (END, frame[1], reason)
