"""A real HTTP server on this machine that answers like an OpenAI-compatible endpoint, or badly."""

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
Answer = Callable[[Body], Any]
"""What to say to a request: a ``message``, or one of the misdeeds below."""

HANG_S = 30.0


class Misdeed:
    """An answer that is none. ``status`` other than 200 is sent with a JSON error."""

    def __init__(
        self,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        claimed_bytes: int = 0,  # more than are sent: the connection breaks off
        drip_s: float = 0.0,  # a byte now and then instead of the body
        hang: bool = False,
    ) -> None:
        self.status, self.headers = status, dict(headers or {})
        self.body, self.claimed_bytes = body, claimed_bytes
        self.drip_s, self.hang = drip_s, hang


BUSY = Misdeed(status=429)
BROKEN = Misdeed(status=500)
HANG = Misdeed(hang=True)
GARBAGE = Misdeed(body=b"<html>gateway</html>")
CUT_OFF = Misdeed(body=b'{"choices": [{"message": {"content": "half', claimed_bytes=4000)
HALF_JSON = Misdeed(body=b'{"choices": [{"message": {"content": "half')
OTHER_SHAPE = Misdeed(body=b'{"choices": "none"}')


def message(
    content: str = "", *calls: tuple[str, Any], finish: str = "", usage: bool = True
) -> Body:
    """A chat completion; a call is its name and its arguments, as a value or as written."""
    said: Body = {"role": "assistant", "content": content}
    if calls:
        said["tool_calls"] = [
            {
                "id": f"call_{number}",
                "type": "function",
                "function": {
                    "name": name,
                    "arguments": given if isinstance(given, str) else json.dumps(given),
                },
            }
            for number, (name, given) in enumerate(calls)
        ]
    finish = finish or ("tool_calls" if calls else "stop")
    whole: Body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "scripted",
        "choices": [{"index": 0, "message": said, "finish_reason": finish}],
    }
    if usage:
        whole["usage"] = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return whole


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of clients that were killed within a request; anything else is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError | json.JSONDecodeError):
            super().handle_error(request, client_address)


class EndpointServer:
    """Serves ``answer(request body)`` at ``base_url``; keeps every request in ``requests``."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[Body] = []
        self.times: list[float] = []
        self.most_at_once = 0
        self._running = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler(answer))
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> "EndpointServer":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self, answer: Answer) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                size = int(self.headers["Content-Length"])
                body = json.loads(self.rfile.read(size))
                with server._lock:
                    server.requests.append(body)
                    server.times.append(time.monotonic())
                    server._running += 1
                    server.most_at_once = max(server.most_at_once, server._running)
                try:
                    _send(self, answer(body), server._stop)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the client gave up
                finally:
                    with server._lock:
                        server._running -= 1

            def log_message(self, *arguments):
                """Nothing: tests look at ``requests``."""

        return Handler


def _send(handler: BaseHTTPRequestHandler, said: Any, stop: threading.Event) -> None:
    deed = said if isinstance(said, Misdeed) else Misdeed(body=json.dumps(said).encode())
    if deed.hang:
        stop.wait(HANG_S)
        return
    body = deed.body
    if body is None:
        body = json.dumps({"error": {"message": "scripted failure"}}).encode()
    handler.send_response(deed.status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(deed.claimed_bytes or len(body)))
    for name, value in deed.headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    pieces = [body[i : i + 1] for i in range(len(body))] if deed.drip_s else [body]
    for piece in pieces:
        handler.wfile.write(piece)
        handler.wfile.flush()
        if deed.drip_s and stop.wait(deed.drip_s):
            return
    handler.close_connection = bool(deed.claimed_bytes)


def in_turn(*answers: Any) -> Answer:
    """Gives the answers one after the other, then the last one for ever."""
    left = list(answers)
    lock = threading.Lock()

    def answer(body: Body) -> Any:
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    return answer
