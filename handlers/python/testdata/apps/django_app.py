"""Django in one file: by WSGI, by ASGI, and with Channels over a WebSocket."""
import asyncio

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY="of a test",
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    INSTALLED_APPS=[],
)
django.setup()


def page(request):
    return JsonResponse({"path": request.path, "q": request.GET.get("q"), "scheme": request.scheme})


def form(request):
    return HttpResponse("form %s" % request.POST["field"])


def upload(request):
    f = request.FILES["file"]
    return HttpResponse("%s %d" % (f.name, f.size))


def stream(request):
    return StreamingHttpResponse("part %d\n" % i for i in range(5))


def file(request):
    return FileResponse(open(__file__, "rb"))


async def later(request):
    await asyncio.sleep(0)
    return HttpResponse("async")


def error(request):
    raise KeyError("an application's error")


urlpatterns = [
    path("", page),
    path("form", form),
    path("upload", upload),
    path("stream", stream),
    path("file", file),
    path("async", later),
    path("error", error),
]

wsgi = get_wsgi_application()
asgi = get_asgi_application()


def channels():
    from channels.generic.websocket import AsyncWebsocketConsumer
    from channels.routing import ProtocolTypeRouter, URLRouter

    class Echo(AsyncWebsocketConsumer):
        async def connect(self):
            await self.accept("echo")

        async def receive(self, text_data=None, bytes_data=None):
            await self.send(text_data=text_data, bytes_data=bytes_data)

    return ProtocolTypeRouter({"http": asgi, "websocket": URLRouter([path("ws", Echo.as_asgi())])})
