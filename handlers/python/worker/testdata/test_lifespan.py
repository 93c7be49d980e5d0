"""Lifespan, the life of a worker, and the orders of the control socket."""
import os
import signal
import time
import unittest

from front import Worker
from gale._wire import BLOCKED, END, FAILED, GONE, PONG, READY, RESPONSE, START, STOPPED


class Lifespan(unittest.TestCase):
    def failed(self, app, **config):
        with Worker(app, start=False, **config) as w:
            f = w.control.next(READY, FAILED)
            self.assertEqual(f[0], FAILED, f)
            self.assertEqual(w.wait(), 3)
            return f[1], f[2]

    def test_startup_state_and_shutdown(self):
        with Worker("lifespans:good") as w:
            self.assertIs(w.ready[2]["lifespan"], True)
            bodies = [w.link.next(RESPONSE, sid=w.get())[4] for _ in range(2)]
            self.assertEqual(bodies, [b"[('count', 0), ('shared', [])]", b"[('count', 0), ('shared', [1])]"])
            w.control.send((4, 5.0))
            self.assertEqual(w.control.next(STOPPED), (STOPPED, ""))
            self.assertEqual(w.wait(), 0)
            self.assertEqual(w.log(), "")

    def test_startup_failed(self):
        self.assertEqual(self.failed("lifespans:failing"), ("lifespan", "no database"))

    def test_shutdown_failed(self):
        with Worker("lifespans:failing_late") as w:
            w.control.send((4, 5.0))
            self.assertEqual(w.control.next(STOPPED), (STOPPED, "not clean"))
            self.assertEqual(w.wait(), 0)

    def test_applications_without_lifespan(self):
        for app in ("raising", "returning", "unknown", "http_only"):
            with self.subTest(app), Worker("lifespans:" + app) as w:
                self.assertIs(w.ready[2]["lifespan"], False)
                self.assertEqual(w.stop(), 0)
                self.assertEqual(w.log(), "")

    def test_lifespan_on_needs_an_answer(self):
        self.assertEqual(self.failed("lifespans:raising", lifespan="on"), ("lifespan", "KeyError: 'lifespan'"))
        self.assertEqual(self.failed("lifespans:returning", lifespan="on")[0], "lifespan")

    def test_lifespan_off(self):
        with Worker("lifespans:failing", lifespan="off") as w:
            self.assertIs(w.ready[2]["lifespan"], False)

    def test_lifespan_that_ends_while_the_worker_serves(self):
        with Worker("lifespans:raising_late") as w:
            w.link.next(RESPONSE, sid=w.get())
            self.assertEqual(w.stop(), 0)
            self.assertIn("the application raised", w.log())

    def test_shutdown_that_only_returns(self):
        with Worker("lifespans:silent_end") as w:
            self.assertEqual(w.stop(), 0)


class Life(unittest.TestCase):
    def test_stop_waits_for_streams_and_background(self):
        with Worker("clauses:app") as w:
            sid = w.get("/background")
            w.link.next(RESPONSE, sid=sid)
            w.control.send((4, 60.0), (3, 7))
            self.assertEqual(w.control.next(PONG)[:3], (PONG, 7, 1))
            self.assertIsNone(w.process.poll())
            w.control.send((5, 100, "open", b"/background"))  # its result may come too late
            self.assertEqual(w.control.next(STOPPED), (STOPPED, ""))
            self.assertEqual(w.wait(), 0)

    def test_stop_has_a_deadline(self):
        with Worker("clauses:app") as w:
            sid = w.get("/background")
            w.link.next(RESPONSE, sid=sid)
            self.assertEqual(w.stop(0.05), 0)
            self.assertIn("did not end in time", w.log())

    def test_stop_before_the_application_is_there(self):
        with Worker("lifespans:never", start=False) as w:
            w.control.send((4, 1.0))
            self.assertEqual(w.wait(), 0)

    def test_end_of_the_control_socket_ends_the_worker(self):
        with Worker("clauses:app") as w:
            w.get("/block", query=b"30")
            w.control.sock.close()
            self.assertEqual(w.wait(), 1)

    def test_end_of_a_link_is_the_end_of_its_clients(self):
        with Worker("clauses:app") as w:
            w.get("/wait_disconnect")
            w.noted("/wait_disconnect", {"type": "http.request", "body": "", "more_body": False})
            w.link.sock.close()
            w.noted("/wait_disconnect", "end")
            other = w.add_link()
            other.next(RESPONSE, sid=w.get("/echo", link=other))

    def test_signals_are_ignored(self):
        with Worker("clauses:app") as w:
            os.kill(w.process.pid, signal.SIGTERM)
            os.kill(w.process.pid, signal.SIGINT)
            w.link.next(RESPONSE, sid=w.get("/echo"))
            self.assertEqual(w.stop(), 0)

    def test_drain(self):
        with Worker("clauses:app") as w:
            sid = w.get("/drain")
            w.noted("/drain", {"type": "http.request", "body": "", "more_body": False})
            w.control.send((8, 5.0))
            w.link.next(RESPONSE, sid=sid)
            self.assertEqual(w.notes("/drain")[1:], [{"type": "gale.drain"}, [True, None]])
            w.link.next(RESPONSE, sid=w.get("/drain/later"))

    def test_finished_replies_leave_while_a_handler_blocks(self):
        with Worker("clauses:app") as w:
            quick = w.sid + 1
            w.link.send(
                *((1, quick + i, "GET", p, p.encode(), q, "1.1", "http", "", [], None, None, None, b"", False)
                  for i, (p, q) in enumerate([("/echo/quick", b""), ("/block", b"30")]))
            )  # fmt: skip
            began = time.monotonic()
            w.link.next(RESPONSE, sid=quick)
            self.assertLess(time.monotonic() - began, 25)  # it blocks for 30 s
            w.control.send((3, 1))
            w.control.next(PONG)
            kind, seconds, stack, path = w.control.next(BLOCKED)
            self.assertGreaterEqual(seconds, 0.2)
            self.assertEqual(path, "/block")
            self.assertIn("time.sleep", stack)
            self.assertNotIn("<gale>", stack)

    def test_fork_of_the_application(self):
        with Worker("clauses:app") as w:
            sid = w.get("/fork")
            self.assertEqual(w.link.next(RESPONSE, sid=sid)[4], b"parent")
            w.link.next(RESPONSE, sid=w.get("/echo"))
            self.assertFalse([f for f in w.link.frames if f[0] in (RESPONSE, END)])
            self.assertEqual(w.stop(), 0)

    def test_application_that_closes_descriptor_3(self):
        with Worker("clauses:app") as w:
            w.link.next(RESPONSE, sid=w.get("/close3"))
            w.control.send((3, 9))
            self.assertEqual(w.control.next(PONG)[1], 9)

    def test_exceptions_are_logged_with_the_applications_part_of_the_traceback(self):
        with Worker("clauses:app") as w:
            w.link.next(END, sid=w.get("/raises"))
            log = w.log()
            self.assertIn("GET /raises: the application raised KeyError", log)
            self.assertIn("clauses.py", log)
            self.assertNotIn("<gale>", log)

    def test_departed_clients_are_no_errors(self):
        with Worker("clauses:app") as w:
            sid = w.get("/wakes_during_send")
            w.link.next(START, sid=sid)
            w.link.send((GONE, sid, 0, ""))
            w.link.next(END, sid=sid)
            self.assertEqual(w.log(), "")


if __name__ == "__main__":
    unittest.main()
