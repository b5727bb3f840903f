"""The near end of a contestant's process."""

import contextlib
import json
import queue
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Contestant:
    """Talks to a ``bench.worker``; an answer that does not come in time ends it."""

    def __init__(
        self,
        name: str,
        process: subprocess.Popen,
        timeout_s: float,
        log: Path,
        remedies: Mapping[str, str],
    ):
        self.name = name
        self.facts: dict[str, Any] = {}
        self._process = process
        self._timeout_s = timeout_s
        self._log = log
        self._remedy = remedies.get(name, "")
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def wait_ready(self) -> None:
        """Until it has compiled; its facts are there then."""
        self.facts = self._answer()

    def window(self, runs: int) -> dict[str, float]:
        """Runs so many steps and returns what they took."""
        with contextlib.suppress(BrokenPipeError):  # it died: the missing answer tells
            self._process.stdin.write(f"{runs}\n")
            self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """Ends the process, busy or not."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _answer(self) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=self._timeout_s)
        except queue.Empty:
            raise ValueError(
                f"{self.name}: no answer within bench.timeout_s={self._timeout_s:g}; raise it"
            ) from None
        answer = json.loads(line) if line else {"error": "the process ended"}
        if "error" in answer:
            remedy = f"; {self._remedy}" if "ModuleNotFoundError" in answer["error"] else ""
            raise ValueError(f"{self.name}: {answer['error']}{remedy}; its log is {self._log}")
        return answer
