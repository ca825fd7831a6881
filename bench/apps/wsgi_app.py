# The same answers for Python's servers (gunicorn, uWSGI).
import os

def app(environ, start_response):
    path = environ.get("PATH_INFO", "/")
    body = str(os.getpid()).encode() if path == "/pid" else b"Hello, world!"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]

application = app
