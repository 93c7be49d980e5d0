"""The http protocol of ASGI, clause by clause, from gale's side of the wire."""
import unittest

from front import Worker
from gale._wire import RESPONSE, SEEN


class Hello(unittest.TestCase):
    def test_whole_response_is_one_frame(self):
        with Worker("hello:app") as w:
            sid = w.get()
            self.assertEqual(
                w.link.next(RESPONSE, sid=sid),
                (RESPONSE, sid, 200, [(b"content-type", b"text/plain")], b"Hello, world!"),
            )
            self.assertEqual(w.link.next(SEEN), (SEEN, 1))


if __name__ == "__main__":
    unittest.main()
