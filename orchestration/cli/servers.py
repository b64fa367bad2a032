"""Servers that end with this process: on Ctrl-C, a signal, a lost terminal, and also if it is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType

from orchestration.cli import guardian
from orchestration.cli.console import log
from warehouse.lake import PROJECT

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_SECONDS = 0.2


class ServerGroup:
    """A group of servers, to be used as a context; leaving it ends them and all processes that they have started."""

    def __init__(self) -> None:
        self._guardian = subprocess.Popen(
            [sys.executable, "-I", "-S", guardian.__file__], stdin=subprocess.PIPE, process_group=0
        )
        self._servers: dict[int, str] = {}
        # what has happened: a signal that ends the group, or the return code of a process by its number
        self._events = SimpleQueue[signal.Signals | tuple[int, int]]()
        self._watch(self._guardian)

    def __enter__(self) -> ServerGroup:
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and background jobs request
                signal.signal(number, self._handle_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._guardian.stdin:
            self._guardian.stdin.close()
        while self._guardian.poll() is None:
            if isinstance(self._events.get(), signal.Signals):  # the second one
                self._kill()
        if self._guardian.returncode:  # somebody else has killed it
            self._kill()

    def start(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        """Start a server.

        Args:
            name: Its name in messages.
            command: Its command line.
            environment: Variables that are added to this process's environment.
        """
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            process_group=self._guardian.pid,
        )
        self._servers[process.pid] = name
        self._watch(process)

    def wait(self, is_ready: Callable[[], bool] | None = None) -> int | None:
        """Wait until a server or a signal ends the group, or until it is ready.

        Returns:
            The exit code of the group: 0 if a signal ended it, else that of the server that has ended; none if it goes
            on and is ready.
        """
        while True:
            try:
                event = self._events.get(timeout=None if is_ready is None else _POLL_SECONDS)
            except Empty:
                if is_ready is not None and is_ready():
                    return None
                continue
            if isinstance(event, signal.Signals):
                return 0
            pid, code = event
            name = self._servers.get(pid, "the process that guards the servers")
            if len(self._servers) > 1 or pid not in self._servers:
                log(f"{name} has ended with {code}, so the others end too")
            return code or 1

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        def report_end() -> None:
            code = process.wait()
            self._events.put((process.pid, code))

        threading.Thread(target=report_end, daemon=True).start()

    def _handle_signal(self, number: int, _: FrameType | None) -> None:
        self._events.put(signal.Signals(number))

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._guardian.pid, signal.SIGKILL)
