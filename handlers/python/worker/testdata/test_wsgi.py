"""WSGI, clause by clause of PEP 3333, from gale's side of the wire."""
import json
import tempfile
import time
import unittest

from front import Worker
from gale._wire import CHUNK, CREDIT, END, FILE, GONE, RESPONSE, START, TAKEN

REPLY = RESPONSE, START, CHUNK, END, FILE
PLAIN = [("content-type", "text/plain")]
WINDOW = 256 << 10


class OneThread(unittest.TestCase):
    threads = 1

    @classmethod
    def setUpClass(cls):
        cls.w = Worker("wsgi_clauses:app", threads=cls.threads, sendfile=True)

    @classmethod
    def tearDownClass(cls):
        cls.w.__exit__()

    def get(self, path, body=b"", **environ):
        self.w.sid += 1
        base = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "test",
                "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1"}  # fmt: skip
        self.w.link.send((3, self.w.sid, dict(base, **environ), body))
        return self.w.sid

    def next(self, sid):
        return self.w.link.next(*REPLY, sid=sid)

    def want(self, sid, *frames):
        for f in frames:
            self.assertEqual(self.next(sid), (f[0], sid) + f[1:])

    def closed(self, path):
        until = time.monotonic() + 60
        while path not in json.loads(self.w.job("closed")[1]):
            self.assertLess(time.monotonic(), until)
            time.sleep(0.005)

    def test_hello(self):
        self.want(self.get("/hello"), (RESPONSE, 200, PLAIN, b"hello"))

    def test_batch(self):
        sids = [self.get("/hello") for _ in range(50)]
        for sid in sids:
            self.want(sid, (RESPONSE, 200, PLAIN, b"hello"))

    def test_environ(self):
        environ = json.loads(self.next(self.get("/environ", HTTPS="on"))[4])
        self.assertEqual(environ["wsgi.version"], [1, 0])
        self.assertEqual(environ["wsgi.url_scheme"], "https")
        self.assertIs(environ["wsgi.multithread"], self.threads > 1)
        self.assertIs(environ["wsgi.multiprocess"], False)
        self.assertIs(environ["wsgi.input_terminated"], True)
        self.assertIs(environ["dict"], True)

    def test_input(self):
        body = b"abcline\n" + b"x" * 50000
        want = repr([b"abc", b"line\n", 50000, b""]).encode()
        self.assertEqual(self.next(self.get("/read", body))[4], want)
        with tempfile.NamedTemporaryFile() as f:
            f.write(body)
            f.flush()
            self.assertEqual(self.next(self.get("/read", f.name))[4], want)

    def test_lazy_generator(self):
        self.want(self.get("/rawlazy"), (RESPONSE, 200, PLAIN, b"lazy"))

    def test_one_piece_is_one_frame(self):
        self.want(self.get("/one"), (RESPONSE, 200, PLAIN, b"only"))
        self.closed("/one")
        self.want(self.get("/declared"), (RESPONSE, 200, PLAIN + [("content-length", "4")], b"four"))
        self.closed("/declared")

    def test_write(self):
        sid = self.get("/write")
        self.want(sid, (START, 200, PLAIN, False, b"one"), (CHUNK, b"two", True), (CHUNK, b"three", True), (CHUNK, b"", False))
        self.closed("/write")

    def test_exceptions(self):
        self.want(self.get("/raises"), (END, "KeyError: 'before the head'"))
        sid = self.get("/raiseslate")
        self.assertEqual(self.next(sid)[0], START)
        self.assertEqual(self.next(sid)[0], CHUNK)
        self.want(sid, (END, "KeyError: 'after the head'"))
        self.closed("/raiseslate")

    def test_exc_info(self):
        self.want(self.get("/rawexcinfo"), (RESPONSE, 500, PLAIN, b"replaced"))
        self.want(self.get("/rawexcinfolate"), (START, 200, PLAIN, False, b"begun"), (END, "KeyError: 'late'"))

    def test_faults(self):
        for query in "twice hop chunked name newline snowman bytes tuple status statusline interim length none".split():
            with self.subTest(query):
                f = self.next(self.get("/rawfault", QUERY_STRING=query))
                self.assertEqual(f[0], END, f)
        self.assertIn("TypeError", self.next(self.get("/rawstr"))[2])

    def test_content_length(self):
        length = [("content-length", "3")]
        self.want(self.get("/rawlong"), (RESPONSE, 200, length, b"abc"))
        sid = self.get("/rawshort")
        self.assertEqual([self.next(sid)[0], self.next(sid)[0]], [START, END])
        self.closed("/rawshort")
        self.want(self.get("/rawshort", REQUEST_METHOD="HEAD"), (RESPONSE, 200, [("content-length", "30")], b"abc"))

    def body(self, sid, size):
        got = 0
        while got < size:
            f = self.next(sid)
            self.assertIn(f[0], (START, CHUNK))
            got += len(f[5] if f[0] == START else f[2])
        return got

    def test_stream_under_credit(self):
        sid = self.get("/stream/1")
        self.assertEqual(self.body(sid, WINDOW), WINDOW)
        self.w.link.send((CREDIT, sid, WINDOW), (CREDIT, sid, WINDOW))
        self.body(sid, 2 * WINDOW)
        self.w.link.send((CREDIT, sid, 2 * WINDOW))
        self.assertEqual(3 * WINDOW + self.body(sid, 1000000 - 3 * WINDOW), 1000000)
        self.want(sid, (CHUNK, b"", False))
        self.closed("/stream/1")

    def test_client_that_leaves(self):
        sid = self.get("/stream/2")
        self.body(sid, WINDOW)
        self.w.link.send((GONE, sid, 0, ""))
        self.assertEqual(self.next(sid)[0], END)
        self.closed("/stream/2")

    def test_first_piece_leaves_while_the_second_is_late(self):
        sid = self.get("/slow/%s" % self.threads)
        self.want(sid, (START, 200, PLAIN, False, b"first"))
        self.w.job("open", b"/slow/%d" % self.threads)
        self.want(sid, (CHUNK, b"second", True), (CHUNK, b"", False))

    def test_files(self):
        for ok in (True, False):
            sid = self.get("/rawfile")
            self.want(sid, (START, 200, [("content-length", "5")], False, b""))
            f = self.next(sid)
            self.assertEqual((f[0], f[3:]), (FILE, (2, 5, True)))
            self.w.link.send((TAKEN, sid, ok))
            if not ok:
                self.want(sid, (CHUNK, b"23456", True))
            self.want(sid, (CHUNK, b"", False))
        sid = self.get("/rawmemory")
        got = b""
        while True:
            f = self.next(sid)
            got += {RESPONSE: f[-1], START: f[-1], CHUNK: f[2]}[f[0]]
            if f[0] == RESPONSE or f[0] == CHUNK and not f[3]:
                break
        self.assertEqual(got, b"memory")

    def test_sendfile(self):
        sid = self.get("/rawsendfile")
        f = self.next(sid)
        self.assertEqual((f[0], [n for n, _ in f[3]]), (START, ["content-length"]))
        self.want(sid, (FILE, "/etc/hostname", 0, -1, False))


class FourThreads(OneThread):
    threads = 4

    def test_slow_requests_do_not_hold_others(self):
        slow = self.get("/slow/beside")
        self.want(slow, (START, 200, PLAIN, False, b"first"))
        for _ in range(20):
            self.want(self.get("/hello"), (RESPONSE, 200, PLAIN, b"hello"))
        self.w.job("open", b"/slow/beside")
        self.want(slow, (CHUNK, b"second", True), (CHUNK, b"", False))

    def test_stop(self):
        with Worker("wsgi_clauses:app", threads=4) as w:
            self.assertEqual(w.stop(), 0)
            self.assertEqual(w.log(), "")


if __name__ == "__main__":
    unittest.main()
