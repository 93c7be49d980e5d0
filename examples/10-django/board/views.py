import asyncio
import time

from django import forms
from django.http import JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render

from .models import Note


class NoteForm(forms.ModelForm):
    class Meta:
        model = Note
        fields = ["text"]


def index(request):
    """A form, checked and stored: the usual view, which may block."""
    form = NoteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        return redirect("/")
    return render(request, "board/index.html", {"form": form, "notes": Note.objects.order_by("-id")[:20]})


def count(request):
    """A response that comes piece by piece."""

    def pieces():
        for i in range(5):
            yield "%d\n" % i
            time.sleep(0.01)

    return StreamingHttpResponse(pieces(), content_type="text/plain")


async def wait(request):
    """A view that waits for something and holds no thread meanwhile."""
    await asyncio.sleep(0.01)
    return JsonResponse({"waited": True})


def chat(request):
    return render(request, "board/chat.html")
