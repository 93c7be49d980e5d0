"""The http protocol of ASGI, clause by clause, from gale's side of the wire."""
import json
import unittest

from front import Worker
from gale._wire import BODY, CHUNK, CREDIT, END, FILE, GONE, HINT, RESPONSE, SEEN, START, TAKEN, TOOK, TRAILERS

REQUEST = {"type": "http.request", "body": "", "more_body": False}
DISCONNECT = {"type": "http.disconnect"}
REPLY = RESPONSE, START, CHUNK, END, FILE, TRAILERS, HINT


class Clauses(unittest.TestCase):
    """Each test has a path of its own of the application clauses."""

    config = {}

    @classmethod
    def setUpClass(cls):
        cls.w = Worker("clauses:app", **cls.config)

    @classmethod
    def tearDownClass(cls):
        cls.w.__exit__()

    def replies(self, sid, n):
        return [self.w.link.next(*REPLY, sid=sid) for _ in range(n)]

    def whole(self, sid, body=b"ok", status=200):
        self.assertEqual(self.w.link.next(*REPLY, sid=sid), (RESPONSE, sid, status, [], body))

    def stream(self, sid):
        """Reads a response of several frames with credit, and returns its pieces."""
        pieces = []
        while True:
            f = self.w.link.next(*REPLY, sid=sid)
            pieces.append(f[5] if f[0] == START else f[2])
            self.assertIn(f[0], (START, CHUNK))
            self.assertLessEqual(len(pieces[-1]), 64 << 10)
            if f[0] == CHUNK and not f[3]:
                return pieces
            self.w.link.send((CREDIT, sid, len(pieces[-1])))

    def test_scope(self):
        self.w.link.send(
            (1, 1000, "POST", "/scope/\u00e9", b"/scope/%C3%A9", b"a=%20", "1.1", "https", "/scope", [(b"host", b"h"), (b"a", b"1"), (b"a", b"2")],
             ("::1", 5), ("/run/gale.sock", None), {"tls": {"tls_version": 772}}, b"", False)
        )  # fmt: skip
        scope = json.loads(self.w.link.next(RESPONSE, sid=1000)[4])
        extensions = scope.pop("extensions")
        self.assertEqual(
            scope,
            {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.5"},
                "http_version": "1.1",
                "method": "POST",
                "scheme": "https",
                "path": "/scope/\u00e9",
                "raw_path": "/scope/%C3%A9",
                "query_string": "a=%20",
                "root_path": "/scope",
                "headers": [["host", "h"], ["a", "1"], ["a", "2"]],
                "client": ["::1", 5],
                "server": ["/run/gale.sock", None],
                "state": {"seen": None},
                "exact": [True, True],
            },
        )
        self.assertEqual(extensions.pop("tls"), {"tls_version": 772})
        self.assertEqual(sorted(extensions), sorted("http.response.pathsend http.response.zerocopysend http.response.trailers http.response.early_hint gale.drain".split()))

    def test_context_and_state_are_of_one_request(self):
        for _ in range(2):
            sid = self.w.get("/scope/context")
            self.assertEqual(json.loads(self.w.link.next(RESPONSE, sid=sid)[4])["state"], {"seen": None})
        sid = self.w.get("/scope/context2")
        self.assertNotIn("tls", json.loads(self.w.link.next(RESPONSE, sid=sid)[4])["extensions"])

    def test_body_in_one_piece(self):
        sid = self.w.get("/echo/1", body=b"data")
        self.whole(sid, b"data")
        self.assertEqual(self.w.notes("/echo/1"), [{"type": "http.request", "body": "data", "more_body": False}])

    def test_request_without_body_is_one_event(self):
        sid = self.w.get("/echo/2")
        self.whole(sid, b"")
        self.assertEqual(self.w.notes("/echo/2"), [REQUEST])

    def test_body_in_pieces_gives_credit(self):
        sid = self.w.get("/echo/3", more=True)
        self.w.link.send((BODY, sid, b"a" * 65536, True))
        self.assertEqual(self.w.link.next(TOOK, sid=sid), (TOOK, sid, 65536))
        self.w.link.send((BODY, sid, b"b" * 65536, True), (BODY, sid, b"", False))
        self.assertEqual(b"".join(self.stream(sid)), b"a" * 65536 + b"b" * 65536)

    def test_last_piece_may_be_empty(self):
        sid = self.w.get("/echo/4", body=b"a", more=True)
        self.w.noted("/echo/4", {"type": "http.request", "body": "a", "more_body": True})
        self.w.link.send((BODY, sid, b"", False))
        self.whole(sid, b"a")
        self.assertEqual(self.w.notes("/echo/4")[1:], [REQUEST])

    def test_disconnect_wakes_receive_and_is_told_again(self):
        sid = self.w.get("/wait_disconnect")
        self.w.noted("/wait_disconnect", REQUEST)
        self.w.link.send((GONE, sid, 0, ""))
        self.assertEqual(self.w.link.next(*REPLY, sid=sid), (END, sid, ""))
        want = [REQUEST, DISCONNECT, DISCONNECT, ["ClientDisconnected", True], "end"]
        self.assertEqual(self.w.notes("/wait_disconnect"), want)

    def test_body_that_is_cut_off(self):
        sid = self.w.get("/wait_disconnect/cut", body=b"a", more=True)
        self.w.link.send((GONE, sid, 0, ""))
        self.assertEqual(self.w.link.next(*REPLY, sid=sid), (END, sid, ""))
        part = {"type": "http.request", "body": "a", "more_body": True}
        self.assertEqual(self.w.notes("/wait_disconnect/cut")[:3], [part, DISCONNECT, DISCONNECT])

    def test_cancelled_receive_loses_nothing(self):
        sid = self.w.get("/cancelled_receive", body=b"a", more=True)
        start = self.w.link.next(START, sid=sid)
        self.assertEqual(start[5], b"go")
        self.w.link.send((BODY, sid, b"rest", False))
        self.assertEqual(self.w.link.next(CHUNK, sid=sid), (CHUNK, sid, b"done", False))
        self.assertEqual(
            self.w.notes("/cancelled_receive"),
            [{"type": "http.request", "body": "a", "more_body": True}] + ["timeout"] * 3
            + [{"type": "http.request", "body": "rest", "more_body": False}],
        )  # fmt: skip

    def test_messages_after_completion_are_ignored(self):
        sid = self.w.get("/after_completion", body=b"unread")
        self.whole(sid)
        self.assertEqual(self.w.noted("/after_completion", DISCONNECT)[:4], ["sent", "sent", DISCONNECT, DISCONNECT])

    def test_background_goes_on_after_the_response(self):
        sid = self.w.get("/background")
        self.whole(sid)
        self.w.link.send((GONE, sid, 0, ""))
        self.w.job("open", b"/background")
        self.w.noted("/background", "background")

    def test_disconnect_wakes_send_and_receive_at_once(self):
        sid = self.w.get("/wakes_during_send")
        sent = 0
        while sent < 256 << 10:  # the window
            f = self.w.link.next(START, CHUNK, sid=sid)
            sent += len(f[5] if f[0] == START else f[2])
        self.w.link.send((GONE, sid, 0, ""))
        self.w.link.next(END, sid=sid)
        self.assertEqual(sorted(map(str, self.w.notes("/wakes_during_send"))), sorted(map(str, [REQUEST, "ClientDisconnected", DISCONNECT])))

    def test_faulty_messages_raise_out_of_send(self):
        sid = self.w.get("/faults")
        self.whole(sid)
        notes = self.w.notes("/faults")
        self.assertEqual(notes.pop(), "sent")
        self.assertEqual([n[0] for n in notes], ["RuntimeError", "KeyError", "TypeError", "ValueError", "TypeError", "TypeError", "ValueError",
                         "TypeError", "ValueError", "ValueError", "ValueError", "KeyError", "ValueError", "RuntimeError", "TypeError", "RuntimeError"])  # fmt: skip
        self.assertFalse(any(n[1] for n in notes), notes)

    def test_subclasses_and_buffers(self):
        sid = self.w.get("/odd_types")
        self.assertEqual(
            self.replies(sid, 2),
            [(START, sid, 418, [(b"name", b"value")], False, b"first"), (CHUNK, sid, b"second", False)],
        )
        sid = self.w.get("/http_status")
        self.assertEqual(self.replies(sid, 1), [(RESPONSE, sid, 404, [(b"a", b"b")], b"gone")])

    def test_headers_that_are_too_large_cost_one_stream(self):
        other = self.w.get("/echo/beside")
        sid = self.w.get("/huge_headers")
        self.assertIn("1 MiB", self.w.link.next(END, sid=sid)[2])
        self.whole(other, b"")

    def test_ends_without_a_response(self):
        self.assertEqual(self.replies(sid := self.w.get("/returns"), 1), [(END, sid, "")])
        for path in ("/raises", "/raises_held", "/exits"):
            f = self.replies(self.w.get(path), 1)[0]
            self.assertEqual(f[0], END)
            self.assertIn("SystemExit: no" if path == "/exits" else "KeyError", f[2])

    def test_ends_after_the_head(self):
        for path, reason in (("/returns_early", ""), ("/raises_late", "KeyError: 'after the head'")):
            sid = self.w.get(path)
            self.assertEqual(self.replies(sid, 2), [(START, sid, 200, [], False, b"part"), (END, sid, reason)])

    def test_head_leaves_when_the_body_is_late(self):
        sid = self.w.get("/slow_head")
        self.assertEqual(self.replies(sid, 2), [(START, sid, 200, [], False, b""), (CHUNK, sid, b"", True)])
        self.w.job("open", b"/slow_head")
        self.assertEqual(self.replies(sid, 1), [(CHUNK, sid, b"late", False)])

    def test_stream(self):
        sid = self.w.get("/stream")
        self.assertEqual(
            self.replies(sid, 6),
            [
                (START, sid, 200, [(b"content-type", b"text/plain")], False, b""),
                (CHUNK, sid, b"", True),
                (CHUNK, sid, b"one", True),
                (CHUNK, sid, b"", True),
                (CHUNK, sid, b"two", True),
                (CHUNK, sid, b"", False),
            ],
        )

    def test_large_response_waits_for_credit(self):
        sid = self.w.get("/large")
        sent = 0
        while sent < 256 << 10:
            f = self.w.link.next(START, CHUNK, sid=sid)
            sent += len(f[5] if f[0] == START else f[2])
        self.assertEqual(sent, 256 << 10)
        self.assertEqual(self.w.notes("/large"), [0, 1])  # the third waits
        self.w.link.send((CREDIT, sid, sent))
        rest = b"".join(self.stream(sid))
        self.assertEqual(sent + len(rest), 400 << 10)
        self.assertEqual(rest[-1:], b"D")
        self.assertEqual(self.w.noted("/large", "end"), [0, 1, 2, 3, "end"])

    def test_one_large_body_goes_in_pieces(self):
        self.assertEqual([len(p) for p in self.stream(self.w.get("/one_large"))], [64 << 10, 36 << 10])

    def test_trailers(self):
        sid = self.w.get("/trailers")
        self.assertEqual(
            self.replies(sid, 4),
            [
                (START, sid, 200, [(b"trailer", b"sum")], True, b"body"),
                (CHUNK, sid, b"", False),
                (TRAILERS, sid, [(b"sum", b"1")], True),
                (TRAILERS, sid, [(b"sum", b"2")], False),
            ],
        )
        self.assertEqual(self.w.noted("/trailers", "sent"), ["sent"])

    def test_early_hints(self):
        sid = self.w.get("/hint")
        self.assertEqual(
            self.replies(sid, 4),
            [
                (HINT, sid, [b"</a.css>; rel=preload"]),
                (HINT, sid, [b"</b.css>; rel=preload"]),
                (START, sid, 200, [], False, b"1"),
                (CHUNK, sid, b"2", False),
            ],
        )
        self.assertEqual(self.w.notes("/hint"), [["RuntimeError", False]])

    def test_path(self):
        sid = self.w.get("/path")
        self.assertEqual(
            self.replies(sid, 2),
            [(START, sid, 200, [(b"content-length", b"5")], False, b""), (FILE, sid, "/etc/hostname", 0, -1, False)],
        )
        self.assertEqual(self.w.noted("/path", DISCONNECT), [["ValueError", False], DISCONNECT])

    def test_file_that_gale_takes(self):
        self.file(True)

    def test_file_that_gale_refuses(self):
        self.file(False)

    def file(self, ok):
        sid = self.w.get("/zero_copy")
        self.assertEqual(self.replies(sid, 1), [(START, sid, 200, [], False, b"")])
        got = b""
        for offset, count, text in ((2, 3, b"234"), (5, 5, b"56789"), (0, 2, b"01")):
            f = self.w.link.next(FILE, sid=sid)
            self.assertEqual((f[3], f[4], f[5]), (offset, count, True))
            self.w.link.send((TAKEN, sid, ok))
            if not ok:
                self.assertEqual(self.replies(sid, 1), [(CHUNK, sid, text, True)])
            if offset == 2:
                self.assertEqual(self.replies(sid, 1), [(CHUNK, sid, b"-", True)])
        self.assertEqual(self.replies(sid, 1), [(CHUNK, sid, b"", False)])

    def test_frames_of_streams_that_are_over_are_ignored(self):
        sid = self.w.get("/echo/over")
        self.whole(sid, b"")
        self.w.link.send((BODY, sid, b"x", False), (CREDIT, sid, 5), (GONE, sid, 0, ""), (TAKEN, sid, True))
        self.whole(self.w.get("/echo/next"), b"")

    def test_seen_counts_messages(self):
        link = self.w.add_link()
        for _ in range(3):
            link.next(RESPONSE, sid=self.w.get("/echo/seen", link=link))
        counts = [f[1] for f in link.frames if f[0] == SEEN]
        while 3 not in counts:
            counts.append(link.next(SEEN)[1])
        link.sock.close()


if __name__ == "__main__":
    unittest.main()
