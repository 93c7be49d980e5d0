from channels.generic.websocket import AsyncJsonWebsocketConsumer


class Chat(AsyncJsonWebsocketConsumer):
    """A room in which everybody hears everybody.

    The layer of the settings is in the memory of one process: run one worker, or
    take channels_redis. What is for many belongs on gale's hub: see 12-mixed.
    """

    async def connect(self):
        self.room = "chat." + self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.room, self.channel_name)

    async def receive_json(self, content):
        text = str(content.get("text", ""))[:500]
        await self.channel_layer.group_send(self.room, {"type": "said", "text": text})

    async def said(self, event):
        await self.send_json({"text": event["text"]})
