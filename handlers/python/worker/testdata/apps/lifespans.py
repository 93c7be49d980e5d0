"""Applications that answer lifespan in all the ways there are."""
import asyncio


def answers(startup=None, shutdown=None, before=None, after=None):
    async def app(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            state = scope["state"]
            await send({"type": "http.response.body", "body": repr(sorted(state.items())).encode()})
            state["shared"].append(1)
            state["count"] = 1
            return
        assert scope == {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}, scope
        if before:
            raise before
        assert await receive() == {"type": "lifespan.startup"}
        scope["state"].update(shared=[], count=0)
        if startup is not None:
            await send(startup)
        if after:
            raise after
        assert await receive() == {"type": "lifespan.shutdown"}
        await asyncio.sleep(0)
        if shutdown is not None:
            await send(shutdown)

    return app


COMPLETE = {"type": "lifespan.startup.complete"}

good = answers(COMPLETE, {"type": "lifespan.shutdown.complete"})
failing = answers({"type": "lifespan.startup.failed", "message": "no database"})
failing_late = answers(COMPLETE, {"type": "lifespan.shutdown.failed", "message": "not clean"})
raising = answers(before=KeyError("lifespan"))
raising_late = answers(COMPLETE, after=KeyError("while it serves"))
silent_end = answers(COMPLETE)
unknown = answers({"type": "lifespan.unknown"})


async def returning(scope, receive, send):
    pass


async def http_only(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError("Django's answer to lifespan")
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"ok"})


async def never(scope, receive, send):
    await asyncio.Event().wait()
