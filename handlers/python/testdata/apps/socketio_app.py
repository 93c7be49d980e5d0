"""python-socketio: an echo over Engine.IO, by polling and WebSocket."""
import socketio

sio = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")
app = socketio.ASGIApp(sio)


@sio.event
async def echo(sid, data):
    await sio.emit("echo", data, to=sid)
