"""FastAPI: dependencies, bodies that are checked, background tasks and a WebSocket."""
from fastapi import BackgroundTasks, Depends, FastAPI, WebSocket
from pydantic import BaseModel

app = FastAPI()
seen = []


class Item(BaseModel):
    name: str
    price: float


@app.on_event("startup")
async def startup():
    seen.append("startup")


def dependency():
    yield "dependency"


@app.get("/")
def page(value: str = Depends(dependency)):
    return {"value": value, "seen": seen}


@app.post("/items")
async def items(item: Item, tasks: BackgroundTasks):
    tasks.add_task(seen.append, item.name)
    return item


@app.websocket("/ws")
async def echo(ws: WebSocket):
    await ws.accept()
    while True:
        await ws.send_text(await ws.receive_text())
