"""Flask: a form, a generator, a file and an error."""
import os

import flask

app = flask.Flask(__name__)
closed = []


@app.get("/")
def page():
    return flask.jsonify(query=flask.request.args.get("q"), closed=closed)


@app.post("/form")
def form():
    return "form %s" % flask.request.form["field"]


@app.get("/stream")
def stream():
    def parts():
        try:
            for i in range(5):
                yield "part %d\n" % i
        finally:
            closed.append("stream")

    return flask.Response(parts())


@app.get("/file")
def file():
    return flask.send_file(os.path.abspath(__file__))


@app.get("/error")
def error():
    raise KeyError("an application's error")
