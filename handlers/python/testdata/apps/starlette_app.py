"""Starlette: middleware, streams, background tasks, lifespan, files and a WebSocket."""
import asyncio
import os
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

seen = []


class Named(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        response.headers["x-middleware"] = "yes"
        return response


@asynccontextmanager
async def lifespan(app):
    seen.append("startup")
    yield


async def page(request):
    return JSONResponse({"path": request.url.path, "q": request.query_params.get("q"), "seen": seen})


async def upload(request):
    form = await request.form()
    return PlainTextResponse("%s %d" % (form["file"].filename, len(await form["file"].read())))


def threaded(request):
    return PlainTextResponse("from a thread")


async def stream(request):
    async def parts():
        for i in range(5):
            yield "part %d\n" % i
            await asyncio.sleep(0)

    return StreamingResponse(parts())


async def endless(request):
    """Ends when the client leaves, and notes it."""

    async def parts():
        try:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0.001)
        finally:
            seen.append("endless is over")

    return StreamingResponse(parts())


async def background(request):
    async def later():
        await asyncio.sleep(0.01)
        seen.append("background")

    return PlainTextResponse("ok", background=BackgroundTask(later))


async def file(request):
    return FileResponse(os.path.abspath(__file__))


async def error(request):
    raise KeyError("an application's error")


async def echo(ws):
    await ws.accept(subprotocol="echo")
    async for text in ws.iter_text():
        await ws.send_text(text)
    seen.append("websocket is over")


app = Starlette(
    routes=[
        Route("/", page),
        Route("/upload", upload, methods=["POST"]),
        Route("/threaded", threaded),
        Route("/stream", stream),
        Route("/endless", endless),
        Route("/background", background),
        Route("/file", file),
        Route("/error", error),
        WebSocketRoute("/ws", echo),
    ],
    middleware=[Middleware(Named)],
    lifespan=lifespan,
)
