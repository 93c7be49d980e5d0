"""websockets and aiohttp against gale conform: python3 clients.py 127.0.0.1:9001"""

import asyncio
import hashlib
import os
import sys

import aiohttp
import websockets

ADDRESS = sys.argv[1]
HTTP, WS = f"http://{ADDRESS}", f"ws://{ADDRESS}"


async def aiohttp_http():
    async with aiohttp.ClientSession(base_url=HTTP) as session:
        for _ in range(50):
            async with session.get("/") as r:
                assert r.status == 200 and await r.text() == "OK"
        async with session.head("/") as r:
            assert r.status == 200 and r.headers["Content-Length"] == "2"
        for size in (0, 1, 65536, 8 << 20):
            data = os.urandom(size)
            async with session.post("/x", data=data) as r:
                assert await r.read() == data, size

        sent = hashlib.sha256()

        async def pieces():
            for i in range(100):
                piece = os.urandom(1 + i * 777 % 9000)
                sent.update(piece)
                yield piece

        async with session.put("/x", data=pieces()) as r:
            assert hashlib.sha256(await r.read()).digest() == sent.digest()
        async with session.post("/x", data=b"later", expect100=True) as r:
            assert await r.read() == b"later"


async def aiohttp_websocket():
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(WS + "/ws", autoping=True) as ws:
            for size in (0, 1, 126, 65536, 1 << 20):
                await ws.send_bytes(b"x" * size)
                assert (await ws.receive_bytes()) == b"x" * size
            await ws.send_str("grüße")
            assert await ws.receive_str() == "grüße"
            await ws.ping(b"abc")
            await ws.close(code=4001, message=b"bye")
            assert ws.close_code == 4001, ws.close_code


async def websockets_echo():
    async with websockets.connect(WS, max_size=None) as ws:  # offers permessage-deflate
        for message in ("", "grüße 🎈", b"", b"\0" * 70000, "x" * (1 << 20)):
            await ws.send(message)
            assert await ws.recv() == message
        await ws.send(["frag", "men", "ted"])
        assert await ws.recv() == "fragmented"
        await asyncio.wait_for(await ws.ping(), 5)
    assert ws.close_code == 1000


async def websockets_many():
    async def one(i):
        async with websockets.connect(WS) as ws:
            for n in range(20):
                await ws.send(f"{i}-{n}")
                assert await ws.recv() == f"{i}-{n}"

    await asyncio.gather(*(one(i) for i in range(200)))


async def websockets_refused():
    try:
        await websockets.connect(WS, origin="http://evil.example")
    except websockets.InvalidStatusCode as e:
        assert e.status_code == 403
    else:
        raise AssertionError("a foreign origin was accepted")


async def main():
    for test in (aiohttp_http, aiohttp_websocket, websockets_echo, websockets_many, websockets_refused):
        await asyncio.wait_for(test(), 60)
        print("ok", test.__name__)


asyncio.run(main())
