"""The pages: an ordinary Flask application, with three calls of gale in it."""
import base64
import json

import gale
from flask import Flask, render_template, request

app = Flask(__name__)


@app.get("/")
def index():
    return render_template("index.html")


@app.post("/pictures")
def add():
    upload = request.files["picture"]
    try:
        # In a process of its own, within the bounds of the class "pictures". This
        # thread waits; the others of this worker go on.
        small = gale.sync.run("pictures", "thumbnail", upload.read())
    except gale.Failed as e:
        return {"error": str(e)}, 400
    except gale.Saturated:
        return {"error": "too many pictures at once"}, 503
    url = "data:image/jpeg;base64," + base64.b64encode(small).decode()
    # gale tells everybody who watches; this process holds none of their connections.
    position = gale.sync.publish("pictures", json.dumps({"name": upload.filename, "url": url}))
    return {"offset": position.offset}


@app.get("/latest")
def latest():
    """The names of the last pictures, from the history of the hub."""
    history = gale.sync.history("pictures", limit=10, reverse=True)
    return {"names": [json.loads(p.data)["name"] for p in history.publications]}
