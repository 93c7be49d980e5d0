"""Flask on gale: forms, an upload, a stream, a file.

    apt-get install python3-flask        # or pip install flask
    go run ./cmd/gale run --app-dir examples/11-flask app:app
    cd examples/11-flask && go run ../../cmd/gale run          # finds it
"""
import hashlib
import os
import time

from flask import Flask, Response, redirect, render_template_string, request, send_file, url_for

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 64 << 20

PAGE = """<!doctype html>
<title>Flask on gale</title>
<h1>Hello, {{ name }}!</h1>
<form method="post"><input name="name"><button>Greet</button></form>
<form method="post" action="{{ url_for('upload') }}" enctype="multipart/form-data">
<input type="file" name="file"><button>Digest</button></form>
<p><a href="{{ url_for('count') }}">Count</a> · <a href="{{ url_for('source') }}">Source</a>
"""


@app.route("/", methods=["GET", "POST"])
def hello():
    if request.method == "POST":
        return redirect(url_for("hello", name=request.form["name"]))
    return render_template_string(PAGE, name=request.args.get("name", "world"))


@app.post("/upload")
def upload():
    """gale has taken the whole upload before a thread of this process sees it."""
    digest = hashlib.sha256()
    size = 0
    while True:
        piece = request.files["file"].stream.read(64 << 10)
        if not piece:
            return {"bytes": size, "sha256": digest.hexdigest()}
        digest.update(piece)
        size += len(piece)


@app.get("/count")
def count():
    """A response that comes piece by piece. A slow client holds no thread: gale keeps
    what it has not taken."""

    def pieces():
        for i in range(5):
            yield "%d\n" % i
            time.sleep(0.01)

    return Response(pieces(), mimetype="text/plain")


@app.get("/source")
def source():
    """A file, which gale sends by itself (wsgi.file_wrapper)."""
    return send_file(os.path.abspath(__file__), mimetype="text/plain")
