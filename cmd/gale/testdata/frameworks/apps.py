"""Applications of the frameworks that people use, each with what tells servers apart:
lifespan, background tasks, streams, disconnects, WebSockets, files."""
import asyncio
import os

log = os.environ.get("EVENTS")  # a file to which applications write what they see


def note(text):
    with open(log, "a") as f:
        f.write(text + "\n")


def starlette():
    import contextlib

    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.middleware import Middleware
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
    from starlette.routing import Route, WebSocketRoute

    @contextlib.asynccontextmanager
    async def lifespan(app):
        note("startup")
        yield {"answer": 42}
        note("shutdown")

    async def hello(request):
        task = BackgroundTask(note, "background")
        return JSONResponse({"hello": request.query_params.get("name"), "answer": request.state.answer}, background=task)

    async def stream(request):
        async def pieces():
            try:
                for i in range(10000):
                    yield b"%d\n" % i
                    await asyncio.sleep(0.01)
            finally:
                note("stream ends")

        return StreamingResponse(pieces(), media_type="text/plain")

    async def upload(request):
        size = 0
        async for piece in request.stream():
            size += len(piece)
        return PlainTextResponse(str(size))

    async def form(request):
        fields = await request.form()
        return PlainTextResponse(fields["name"] + " " + fields["file"].filename + " %d" % len(await fields["file"].read()))

    async def file(request):
        return FileResponse(__file__, media_type="text/plain")

    async def fails(request):
        raise RuntimeError("as it is meant to")

    def blocks(request):
        return PlainTextResponse("from a thread")

    async def echo(websocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)
        note("socket ends")

    return Starlette(
        lifespan=lifespan,
        middleware=[Middleware(GZipMiddleware, minimum_size=100000)],
        routes=[
            Route("/hello", hello),
            Route("/stream", stream),
            Route("/upload", upload, methods=["POST"]),
            Route("/form", form, methods=["POST"]),
            Route("/file", file),
            Route("/fails", fails),
            Route("/blocks", blocks),
            WebSocketRoute("/echo", echo),
        ],
    )


def fastapi():
    from fastapi import Depends, FastAPI, HTTPException, WebSocket
    from pydantic import BaseModel

    app = FastAPI()

    class Item(BaseModel):
        name: str
        price: float

    async def user(name: str = "nobody"):
        return name

    @app.post("/items")
    async def item(item: Item, who: str = Depends(user)):
        return {"name": item.name, "total": item.price * 2, "user": who}

    @app.get("/missing")
    def missing():
        raise HTTPException(404, "nothing here")

    @app.websocket("/echo")
    async def echo(websocket: WebSocket):
        await websocket.accept()
        while True:
            await websocket.send_text(await websocket.receive_text())

    return app


def bottle():
    import bottle

    app = bottle.Bottle()

    @app.route("/hello")
    def hello():
        return "hello " + bottle.request.query.name

    @app.post("/upload")
    def upload():
        return str(len(bottle.request.body.read()))

    @app.route("/fails")
    def fails():
        raise RuntimeError("as it is meant to")

    @app.route("/stream")
    def stream():
        try:
            for i in range(3):
                yield "%d\n" % i
        finally:
            note("stream ends")

    return app


def sockets():
    import socketio

    server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")

    @server.on("ask")
    async def ask(sid, text):
        await server.emit("answer", text.upper(), to=sid)

    return socketio.ASGIApp(server)


async def plain(scope, receive, send):
    """Ten lines: no framework, no lifespan."""
    assert scope["type"] == "http"
    event = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": scope["method"].encode() + b" " + event["body"]})


def validated(environ, start_response):
    """wsgiref.validate sees that gale keeps to PEP 3333."""
    from wsgiref.validate import validator

    def app(environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["REQUEST_METHOD"].encode() + b" " + body]

    return validator(app)(environ, start_response)
