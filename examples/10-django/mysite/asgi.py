"""gale run mysite.asgi:application

Django answers HTTP, Channels the WebSockets of the chat.
"""
import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
django = get_asgi_application()  # before what needs Django's applications

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

from board.consumers import Chat  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": django,
        "websocket": URLRouter([path("chat/<slug:room>/", Chat.as_asgi())]),
    }
)
