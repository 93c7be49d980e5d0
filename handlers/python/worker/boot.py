"""Starts a worker of gale: python -c with this source, and gale's socket as descriptor 3.

The greeting brings the configuration and the sources of the modules. They are
imported from memory, with their text at hand for tracebacks.
"""
import marshal
import sys


class Memory:
    """A finder and loader of modules whose sources the greeting brought."""

    def __init__(self, sources):
        self.sources = sources

    def find_spec(self, name, path=None, target=None):
        if name not in self.sources:
            return None
        from importlib.machinery import ModuleSpec

        return ModuleSpec(name, self, origin=self.filename(name), is_package=name == "gale")

    def create_module(self, spec):
        return None  # the usual one

    def exec_module(self, module):
        name = module.__name__
        module.__file__ = self.filename(name)
        exec(compile(self.sources[name], module.__file__, "exec", dont_inherit=True), module.__dict__)

    def get_source(self, name):  # linecache asks for it
        return self.sources[name]

    @staticmethod
    def filename(name):
        return "<gale>/" + name.replace(".", "/") + ".py"


def greeting(sock):
    """Reads the first message, and not one byte of what follows it."""

    def exactly(n):
        parts = []
        while n:
            part = sock.recv(min(n, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            n -= len(part)
        return b"".join(parts)

    size = int.from_bytes(exactly(4), "little")
    if size > 16 << 20:
        raise ValueError("a greeting of more than 16 MiB")
    return marshal.loads(exactly(size))[0]


def main():
    sys.path[:] = [p for p in sys.path if p]  # -c puts the current directory before the standard library
    import socket

    try:
        sock = socket.socket(fileno=3)
        kind, version, config, sources = greeting(sock)
    except (OSError, EOFError, ValueError, TypeError, IndexError) as e:
        sys.exit("gale worker: no greeting on descriptor 3, which gale opens: %s" % (e or "it is closed"))
    sys.meta_path.insert(0, Memory(sources))
    from gale import _worker

    _worker.main(sock, version, config)


if __name__ == "__main__":
    main()
    del Memory, greeting, main
