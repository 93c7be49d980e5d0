"""Bottle: routes, forms, a generator and a static file."""
import os

import bottle

app = bottle.Bottle()


@app.get("/hello/<name>")
def hello(name):
    return "Hello, %s" % name


@app.post("/form")
def form():
    return "form %s" % bottle.request.forms.get("field")


@app.get("/stream")
def stream():
    for i in range(5):
        yield "part %d\n" % i


@app.get("/file")
def file():
    return bottle.static_file(os.path.basename(__file__), os.path.dirname(os.path.abspath(__file__)))
