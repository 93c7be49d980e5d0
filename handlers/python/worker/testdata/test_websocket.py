"""The websocket protocol of ASGI, clause by clause, from gale's side of the wire."""
import unittest

from front import Worker
from gale._wire import ACCEPT, CHUNK, CLOSE, CREDIT, DENY, END, GONE, MESSAGE, SEND, TOOK

CONNECT = {"type": "websocket.connect"}
REPLY = ACCEPT, SEND, CLOSE, END, DENY, CHUNK


class WebSockets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.w = Worker("clauses:app")

    @classmethod
    def tearDownClass(cls):
        cls.w.__exit__()

    def replies(self, sid, n):
        return [self.w.link.next(*REPLY, sid=sid) for _ in range(n)]

    def echo(self, path):
        sid = self.w.websocket(path, ["chat", "other"])
        self.assertEqual(self.replies(sid, 1), [(ACCEPT, sid, "chat", [(b"x-a", b"b")])])
        return sid

    def test_scope(self):
        sid = self.w.websocket("/scope")
        self.assertIn("http.response.start", self.w.link.next(END, sid=sid)[2])  # it is no message of a WebSocket
        self.assertEqual(self.w.notes("/scope"), [])

    def test_echo(self):
        sid = self.echo("/ws_echo/1")
        for data in ("text", b"bytes", "", b"", "\u00e9\U0001f600"):
            self.w.link.send((MESSAGE, sid, data, False))
            self.assertEqual(self.replies(sid, 1), [(SEND, sid, data, False)])
        self.w.link.send((GONE, sid, 4001, "bye"))
        self.assertEqual(self.replies(sid, 1), [(END, sid, "")])
        gone = {"type": "websocket.disconnect", "code": 4001, "reason": "bye"}
        notes = self.w.notes("/ws_echo/1")
        self.assertEqual(notes[0], CONNECT)
        self.assertEqual(notes[1], {"type": "websocket.receive", "text": "text"})
        self.assertEqual(notes[-3:], [gone, gone, ["ClientDisconnected", True]])

    def test_messages_before_the_close_are_not_lost(self):
        sid = self.echo("/ws_echo/2")
        self.w.link.send((MESSAGE, sid, "a", False), (MESSAGE, sid, b"b", False), (GONE, sid, 1000, ""))
        self.replies(sid, 1)
        self.w.noted("/ws_echo/2", {"type": "websocket.receive", "text": "a"})

    def test_parts(self):
        sid = self.echo("/ws_echo/3")
        self.w.link.send((MESSAGE, sid, "on", True))
        self.w.link.send((MESSAGE, sid, "", True), (MESSAGE, sid, "e", False), (MESSAGE, sid, b"two", False))
        self.assertEqual(self.replies(sid, 2), [(SEND, sid, "one", False), (SEND, sid, b"two", False)])

    def test_message_larger_than_the_window(self):
        sid = self.echo("/ws_echo/4")
        credit = 256 << 10
        part = b"p" * (64 << 10)
        for i in range(16):  # 1 MiB
            while credit < len(part):
                credit += self.w.link.next(TOOK, sid=sid)[2]
            self.w.link.send((MESSAGE, sid, part, i < 15))
            credit -= len(part)
        got = self.message(sid)
        self.assertEqual(got, part * 16)
        while credit < 256 << 10:
            credit += self.w.link.next(TOOK, sid=sid)[2]
        self.assertEqual(credit, 256 << 10)

    def message(self, sid):
        parts = []
        while True:
            _, _, data, more = self.w.link.next(SEND, sid=sid)
            parts.append(data)
            n = len(data if isinstance(data, bytes) else data.encode())
            self.assertLessEqual(n, 64 << 10)
            self.w.link.send((CREDIT, sid, n))
            if not more:
                return (b"" if isinstance(data, bytes) else "").join(parts)

    def test_large_messages_go_in_parts(self):
        sid = self.w.websocket("/ws_large")
        self.replies(sid, 1)
        self.assertEqual(self.message(sid), "\u00e9\U0001f600" * 50000)
        self.assertEqual(self.message(sid), b"z" * 300000)

    def test_send_stops_at_the_window(self):
        sid = self.w.websocket("/ws_large/stops")
        self.replies(sid, 1)
        sent = 0
        while sent + 4 <= 256 << 10:
            sent += len(self.w.link.next(SEND, sid=sid)[2].encode())
        self.assertLessEqual(sent, 256 << 10)
        self.w.link.send((GONE, sid, 1006, ""))
        self.assertIn("ClientDisconnected", self.w.link.next(END, sid=sid)[2])

    def test_application_that_does_not_receive_gets_no_more_than_the_window(self):
        sid = self.w.websocket("/ws_slow")
        self.replies(sid, 1)
        for _ in range(3):
            self.w.link.send((MESSAGE, sid, b"x" * 50000, False))
        self.w.link.send((MESSAGE, sid, b"y" * 50000, True))
        self.w.notes("/ws_slow")
        self.assertFalse([f for f in self.w.link.frames if f[:2] == (TOOK, sid)])
        self.w.job("open", b"/ws_slow")
        got = 0
        while got < 200000:
            got += self.w.link.next(TOOK, sid=sid)[2]
        self.assertEqual(got, 200000)

    def test_close(self):
        sid = self.w.websocket("/ws_close")
        self.assertEqual(self.replies(sid, 2), [(ACCEPT, sid, None, []), (CLOSE, sid, 4000, "bye")])
        self.assertEqual(
            self.w.noted("/ws_close", {"type": "websocket.disconnect", "code": 4000, "reason": "bye"})[1], "sent"
        )

    def test_refusal(self):
        sid = self.w.websocket("/ws_refuse")
        self.assertEqual(self.replies(sid, 1), [(CLOSE, sid, 1000, "")])

    def test_denial(self):
        sid = self.w.websocket("/ws_deny")
        self.assertEqual(self.replies(sid, 2), [(DENY, sid, 401, [(b"a", b"b")], b"no", True), (CHUNK, sid, b"!", False)])
        self.assertEqual(self.w.notes("/ws_deny"), [CONNECT, ["RuntimeError", False]])

    def test_faulty_messages_raise_out_of_send(self):
        sid = self.w.websocket("/ws_faults")
        self.assertEqual(self.replies(sid, 2), [(ACCEPT, sid, None, []), (END, sid, "")])
        want = "RuntimeError ValueError TypeError RuntimeError ValueError RuntimeError ValueError ValueError TypeError TypeError UnicodeEncodeError TypeError RuntimeError"
        self.assertEqual([n[0] for n in self.w.notes("/ws_faults")[1:]], want.split())

    def test_exception(self):
        sid = self.w.websocket("/ws_raises")
        self.assertEqual(self.replies(sid, 2), [(ACCEPT, sid, None, []), (END, sid, "KeyError: 'in a WebSocket'")])

    def test_client_that_leaves_before_accept(self):
        sid = self.w.websocket("/ws_echo/early")
        self.w.link.send((GONE, sid, 1006, ""))
        self.w.link.next(END, sid=sid)


if __name__ == "__main__":
    unittest.main()
