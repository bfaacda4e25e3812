"""A server that speaks chat completions over real HTTP, and behaves as badly as it is told to."""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SYLLABLES = [
    "ba",
    "ce",
    "di",
    "fo",
    "gu",
    "ha",
    "je",
    "ki",
    "lo",
    "mu",
    "na",
    "pe",
    "ri",
    "so",
    "tu",
    "va",
    "we",
    "xi",
    "yo",
    "zu",
    "bra",
    "cle",
    "dri",
    "flo",
    "gru",
    "pla",
    "ste",
    "tri",
    "swo",
    "klu",
]


def text_of(body: dict[str, Any]) -> str:
    """Forty words that only this request gets."""
    digest = hashlib.sha512(json.dumps([body["messages"], body.get("seed")]).encode()).digest()
    numbers = [digest[i % 64] * 7 + i for i in range(80)]
    words = [SYLLABLES[a % 30] + SYLLABLES[b % 29] for a, b in zip(numbers[::2], numbers[1::2])]
    return f"{' '.join(words)}."


@dataclass(frozen=True)
class Reply:
    """What is sent after ``seconds``: nothing at all (the connection is cut) for a status of 0."""

    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    kind: str = "application/json"


def answer(body: dict[str, Any], text: str | None = None, reason: str = "stop", **more: Any) -> Reply:
    """A good answer, or one that ended for another ``reason``."""
    message = {"role": "assistant", "content": text_of(body) if text is None else text}
    found = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {"prompt_tokens": 90, "completion_tokens": 60, "total_tokens": 150},
        **more,
    }
    return Reply(body=json.dumps(found))


def error(status: int, message: str, headers: dict[str, str] | None = None, **more: Any) -> Reply:
    """An error in the words of the API."""
    return Reply(status, json.dumps({"error": {"message": message, **more}}), headers or {})


CUT = Reply(status=0)
HTML = Reply(body="<!DOCTYPE html><html><body>Welcome</body></html>", kind="text/html")
BAD_JSON = Reply(body='{"choices": [{"message"')

Behave = Callable[[int, dict[str, Any]], Reply]


@dataclass
class ChatApi:
    """``behave`` gets the number of a request, from 0, and its body."""

    url: str = ""
    behave: Behave = lambda number, body: answer(body)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    lock: Any = field(default_factory=threading.Lock)
    closed: threading.Event = field(default_factory=threading.Event)  # ends every delay

    def asked(self) -> Counter[str]:
        """How often each request was sent."""
        return Counter(json.dumps(body, sort_keys=True) for body in self.bodies)

    def forget(self) -> None:
        """Begin to count anew."""
        self.bodies, self.headers, self.most_in_flight = [], [], 0

    def reply_to(self, body: dict[str, Any], headers: dict[str, str]) -> Reply:
        with self.lock:
            number = len(self.bodies)
            self.bodies.append(body)
            self.headers.append(headers)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            reply = self.behave(number, body)
            self.closed.wait(reply.seconds)
            return reply
        finally:
            with self.lock:
                self.in_flight -= 1


@contextmanager
def serving(behave: Behave | None = None) -> Iterator[ChatApi]:
    """A server on a free port of this machine while the block runs."""
    api = ChatApi(behave=behave) if behave else ChatApi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = api.reply_to(body, {name.lower(): value for name, value in self.headers.items()})
            if self.path != "/v1/chat/completions":
                reply = error(404, "there is nothing here")
            if reply.status == 0:  # reset, not an orderly end
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                return
            content = reply.body.encode()
            self.send_response(reply.status)
            for name, value in {"Content-Type": reply.kind, "Content-Length": len(content), **reply.headers}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *words: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 256
        daemon_threads = True

        def handle_error(self, *words: Any) -> None:
            pass  # a client that is gone is what some tests are about

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    api.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield api
    finally:
        api.closed.set()
        server.shutdown()
        server.server_close()
