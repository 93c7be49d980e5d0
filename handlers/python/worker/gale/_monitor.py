"""A thread that ticks while a WSGI worker is at work: replies leave although a slow request
of the same batch runs, and another thread leads while one is in the application."""
import threading
from time import monotonic

TICK = 0.005  # seconds
QUIET = 4  # ticks without work, after which it sleeps


class Monitor:
    def __init__(self, server):
        self.server = server
        self.asleep = False
        self.alarm = threading.Event()

    def start(self):
        threading.Thread(target=self.run, name="gale-monitor", daemon=True).start()

    def look(self):
        """There is work. Called for each batch, hence cheap."""
        if self.asleep:
            self.asleep = False
            self.alarm.set()

    def run(self):
        quiet = 0
        while True:
            self.alarm.wait(TICK)
            if self.tick():
                quiet = 0
                continue
            quiet += 1
            if quiet >= QUIET:
                quiet = 0
                self.alarm.clear()
                self.asleep = True
                if not self.tick():
                    self.alarm.wait()
                self.asleep = False
                self.alarm.clear()

    def tick(self):
        """Returns whether there is work."""
        server = self.server
        now = monotonic()
        at_work = bool(server.queue)
        for link in list(server.links.values()):
            if link.streams:
                at_work = True
                for exchange in list(link.streams.values()):
                    if exchange.held is not None:
                        exchange.release(now)
            if link.due and now > link.due:
                at_work = True
                link.flush(wait=False)
        if at_work and not server.leading and server.idle:
            with server.mutex:
                server.work.notify()
        return at_work
