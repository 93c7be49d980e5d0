"""A socket to one event loop of gale, on asyncio: requests in, replies out in batches."""
from time import monotonic

from ._http import HTTPStream
from ._websocket import WebSocketStream
from ._wire import BODY, CREDIT, GONE, MESSAGE, REQUEST, TAKEN, WEBSOCKET, Inbox, Outbox

# A turn of the loop that is longer than this does not hold finished replies back. In seconds.
TURN = 0.002
# How long a head is held for the body. In seconds.
HOLD = 0.005
# What small replies may wait while the socket is full. In bytes.
SMALL, QUEUED = 4 << 10, 1 << 20


class Link:
    """Runs the application for what comes from one socket. All but flush and write is the loop's."""

    def __init__(self, server, sock):
        self.server = server
        self.loop = server.loop
        self.sock = sock
        sock.setblocking(False)
        self.fd = sock.fileno()
        self.inbox = Inbox()
        self.outbox = Outbox(sock)
        self.append = self.outbox.frames.append
        self.streams = {}
        self.window = server.window
        self.offered = server.offered
        self.draining = False
        self.due = 0.0  # when what waits must leave, 0 if nothing waits
        self.full = False  # the socket
        self.queued = 0  # bytes of bodies that wait since the socket is full
        self.rooms = []  # futures of senders that wait for the socket
        self.held = []  # requests whose heads are held
        self.timer = None
        self.closed = False
        self.turns = 0  # counted for the watchdog
        self.loop.add_reader(self.fd, self.readable)

    # In.

    def readable(self):
        self.turns += 1
        try:
            messages = self.inbox.read(self.sock)
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, EOFError):
            self.close()
            return
        if messages:
            for frames in messages:
                self.outbox.seen += 1
                self.take(frames)
            if not self.due:
                self.schedule()
            self.server.watchdog.look()

    def take(self, frames):
        streams = self.streams
        server = self.server
        for f in frames:
            kind = f[0]
            if kind == REQUEST:
                _, sid, method, path, raw_path, query, version, scheme, root, headers, client, address, extra, body, more = f
                scope = {
                    "type": "http",
                    "asgi": {"version": "3.0", "spec_version": "2.5"},
                    "http_version": version,
                    "method": method,
                    "scheme": scheme,
                    "path": path,
                    "raw_path": raw_path,
                    "query_string": query,
                    "root_path": root,
                    "headers": headers,
                    "client": client,
                    "server": address,
                    "state": server.state.copy(),
                    "extensions": server.http_extensions.copy(),
                }
                if extra is not None:
                    scope["extensions"].update(extra)
                stream = HTTPStream(self, sid, body, more)
                streams[sid] = stream
                stream.task = server.task(stream.run(server.app, scope))
                continue
            sid = f[1]
            if kind == WEBSOCKET:
                self.websocket(*f[1:])
                continue
            stream = streams.get(sid)
            if stream is None:
                continue  # it is over
            if kind == MESSAGE or kind == BODY:
                stream.incoming(f[2], f[3])
            elif kind == CREDIT:
                stream.credit(f[2])
            elif kind == GONE:
                stream.left(f[2], f[3])
            elif kind == TAKEN:
                stream.file_taken(f[2])

    def websocket(self, sid, path, raw_path, query, version, scheme, root, headers, client, address, extra, subprotocols):
        server = self.server
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.5"},
            "http_version": version,
            "scheme": scheme,
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "root_path": root,
            "headers": headers,
            "client": client,
            "server": address,
            "subprotocols": subprotocols,
            "state": server.state.copy(),
            "extensions": server.websocket_extensions.copy(),
        }
        if extra is not None:
            scope["extensions"].update(extra)
        stream = WebSocketStream(self, sid)
        self.streams[sid] = stream
        stream.task = server.task(stream.run(server.app, scope))

    def forget(self, sid):
        self.streams.pop(sid, None)
        if self.server.stopping is not None:
            self.server.one_less()

    # Out.

    def push(self, frame, size=0):
        """Queues a frame. It leaves at the end of the loop's turn, or at once when that is long."""
        self.append(frame)
        now = monotonic()
        if self.full:
            self.queued += size
        elif not self.due:
            self.due = now + TURN
            self.loop.call_soon(self.flush)
        elif now > self.due:
            self.flush()

    def schedule(self):
        self.due = monotonic() + TURN
        self.loop.call_soon(self.flush)

    def flush(self):
        self.due = 0.0
        self.turns += 1
        if self.held:
            self.held = [s for s in self.held if s.head is not None]
            if self.held and self.timer is None:
                self.timer = self.loop.call_later(HOLD, self.release)
        if not self.closed:
            self.write()

    def write(self):
        try:
            all_of_it = self.outbox.write()
        except OSError:
            self.close()
            return
        if all_of_it != self.full:
            return
        if all_of_it:
            self.full = False
            self.queued = 0
            self.loop.remove_writer(self.fd)
            rooms, self.rooms = self.rooms, []
            for future in rooms:
                if not future.done():
                    future.set_result(None)
        else:
            self.full = True
            self.loop.add_writer(self.fd, self.write)

    async def room(self, size=QUEUED):
        """Waits while the socket is full. Small frames may queue up to a bound."""
        while self.full and not self.closed and (size > SMALL or self.queued > QUEUED):
            future = self.loop.create_future()
            self.rooms.append(future)
            await future

    def hold(self, stream):
        """Sees to it that a head that is held leaves, if the body is late."""
        self.held.append(stream)
        if not self.due:
            self.schedule()

    def release(self):
        self.timer = None
        held, self.held = self.held, []
        for stream in held:
            stream.release()

    def overdue(self, now):
        """Writes, on the watchdog's thread, what a handler that does not return holds back."""
        if self.due and now > self.due and not self.full and not self.closed:
            try:
                self.outbox.write()
            except OSError:
                pass  # the loop learns of it

    # The end.

    def drain(self):
        self.draining = True
        for stream in list(self.streams.values()):
            stream.draining()

    def close(self):
        """gale has closed the socket: all clients of the link are gone."""
        if self.closed:
            return
        self.closed = True
        self.full = False
        self.loop.remove_reader(self.fd)
        self.loop.remove_writer(self.fd)
        self.sock.close()
        for stream in list(self.streams.values()):
            stream.left(1006, "")
        for future in self.rooms:
            if not future.done():
                future.set_result(None)
        self.server.links.remove(self)
