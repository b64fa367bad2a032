"""Parse outside bytes in a separate process, under limits of memory and time.

A forged workbook can crash the process that parses it, and an ordinary-looking text can keep a regular expression
busy for hours. Whatever happens there becomes a message for the person who added the file.

The protocol between the processes, over the pipes of a `_ParserProcess`:

* A request is two frames: JSON with ``name``, ``hints`` and either ``path`` (a file to open) or no path, and the
  content (empty with a path). ``source`` names the source if it is known, ``must_recognise`` has that source check
  the document first, ``only_failure_page`` returns just the kind of failure page, ``sha256`` is the hash that the
  file must have.
* The parser process forks a child for each request. The child limits itself before it looks at a byte, parses, and
  writes JSON: ``source``, ``items``, ``unparsed_fields`` and ``is_empty_valid``; or ``refused`` with the reason, and
  perhaps the ``proposal`` of columns with which a table could be read; or ``failure_page``; or ``altered`` with what is
  wrong with the file.
* The response is the child's exit code (4 bytes; negative for a signal) and a frame with that JSON.
* A frame is its length (8 bytes) and the bytes; integers are big-endian.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import importlib
import itertools
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from orchestration.ingest.document_parser import decode_result, encode_value, parse_document
from orchestration.sources.shared.column_proposal import ColumnProposal
from orchestration.sources.source import DocumentRefused, ParseResult
from warehouse.sql_box.confine import get_signal_name, limit_resources

MEMORY_BYTES = 2 * 2**30
CPU_SECONDS = 60
WALL_SECONDS = 180
PROJECT = Path(__file__).parents[2]
_PARSER_LIBRARIES = ("feedparser", "lxml.etree", "lxml.html", "python_calamine", "selectolax.lexbor")
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    " from orchestration.ingest.parser_process import serve_requests; serve_requests()"
)
_NO_RESPONSE = "found a file that crashed its parser: no response"


class AlteredFile(OSError):
    """A file cannot be read, or does not have the bytes that it should have; nothing of it was parsed."""


def parse_file(
    path: Path, name: str, hints: Mapping[str, str], source: str | None = None, sha256: str | None = None
) -> tuple[str, ParseResult]:
    """Recognise and parse a file.

    Args:
        path: The file.
        name: The name to use in messages.
        hints: What is known of the document from outside it (``owner``).
        source: Name of its source if that is known, so that it need not be recognised.
        sha256: Hash of the bytes that it should have, if that is known.

    Returns:
        Name of the source, and what the document holds.

    Raises:
        DocumentRefused: The document is a failure page, not recognised, damaged, or crashed its parser.
        AlteredFile: The file cannot be read, or its bytes have another hash.
    """
    request = {"path": str(path.resolve()), "name": name, "hints": dict(hints), "source": source, "sha256": sha256}
    response = _send_request(request, b"")
    if "altered" in response:
        raise AlteredFile(response["altered"])
    return decode_result(response)


def parse_bytes(
    content: bytes, name: str, hints: Mapping[str, str], source: str | None = None
) -> tuple[str, ParseResult]:
    """Recognise and parse bytes, as a document of the named source or of any.

    Raises:
        DocumentRefused: The document is a failure page, not of this source, damaged, or crashed its parser.
    """
    request = {"name": name, "hints": dict(hints), "source": source, "must_recognise": source is not None}
    return decode_result(_send_request(request, content))


def detect_failure_page(content: bytes) -> str | None:
    """The kind of failure page that some bytes are (a bot wall, a sign-in page, a service's error), or none."""
    try:
        return _send_request({"name": "", "hints": {}, "only_failure_page": True}, content)["failure_page"]
    except DocumentRefused as refusal:
        return str(refusal)


def _send_request(request: dict[str, Any], content: bytes) -> dict[str, Any]:
    """Send a request to an idle parser process or a new one; a process that has ended is replaced once."""
    for is_last_attempt in (False, True):
        try:
            process = _idle_processes.pop()
        except IndexError:
            process = _ParserProcess()
        try:
            response = process.send(request, content)
            break
        except (OSError, EOFError) as error:  # the parser process itself has ended, not only its child
            process.stop()
            if is_last_attempt:
                raise DocumentRefused(_NO_RESPONSE) from error
        except BaseException:
            process.stop()
            raise
    _idle_processes.append(process)
    if "refused" in response:
        raise DocumentRefused(response["refused"], ColumnProposal.from_response(response.get("proposal")))
    return response


class _ParserProcess:
    """A process that has the parsers loaded and forks a child for each document, so that starting costs little.

    It gets none of this process's environment, which may hold secrets.
    """

    def __init__(self) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH") if name in os.environ}
        self._is_killed = False
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, str(PROJECT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=kept,
            start_new_session=True,  # so that it can be killed with its child, and Ctrl-C does not reach it
        )

    def send(self, request: dict[str, Any], content: bytes) -> dict[str, Any]:
        """Send a request and wait for the response.

        Raises:
            DocumentRefused: Parsing took too long.
            OSError, EOFError: This process has ended.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise OSError("the parser process was started without pipes")
        timer = threading.Timer(WALL_SECONDS, self._kill)
        timer.start()
        try:
            _write_frame(stdin, json.dumps(request).encode())
            _write_frame(stdin, content)
            exit_code, result = int.from_bytes(stdout.read(4), "big", signed=True), _read_frame(stdout)
        except (OSError, EOFError) as error:
            if self._is_killed:
                raise DocumentRefused(f"found a file that could not be parsed within {WALL_SECONDS} seconds") from error
            raise
        finally:
            timer.cancel()
            timer.join()
        if self._is_killed:
            raise DocumentRefused(f"found a file that took {WALL_SECONDS} seconds to parse")
        signal_name = get_signal_name(exit_code)
        if signal_name is not None:
            limit = f" (more than {CPU_SECONDS} s of CPU time)" if signal_name == "SIGXCPU" else ""
            reason = f"found a file whose parsing ended with {signal_name}{limit}; it is probably damaged or forged"
            return {"refused": reason}
        try:
            return json.loads(result)
        except ValueError:
            return {"refused": _NO_RESPONSE}

    def _kill(self) -> None:
        self._is_killed = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Kill it and its child, and close the pipes."""
        self._kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


_idle_processes: list[_ParserProcess] = []


@atexit.register
def _stop_idle_processes() -> None:
    while _idle_processes:
        _idle_processes.pop().stop()


def _write_frame(file: IO[bytes], content: bytes) -> None:
    file.write(len(content).to_bytes(8, "big"))
    file.write(content)
    file.flush()


def _read_frame(file: IO[bytes]) -> bytes:
    head = file.read(8)
    content = file.read(int.from_bytes(head, "big"))
    if len(head) < 8 or len(content) < int.from_bytes(head, "big"):
        raise EOFError
    return content


def _read_file(request: dict[str, Any]) -> bytes:
    try:
        content = Path(request["path"]).read_bytes()
    except OSError as error:
        raise AlteredFile(f"cannot be read: {error.strerror}") from error
    if request["sha256"] not in {None, hashlib.sha256(content).hexdigest()}:
        raise AlteredFile("has other bytes than were stored")
    return content


def _run_child(request: dict[str, Any], content: bytes, output: int) -> None:
    """Limit this process, handle the request and write the response to a file descriptor."""
    limit_resources(MEMORY_BYTES, CPU_SECONDS)
    os.close(0)
    os.close(1)
    try:
        response = parse_document(request, _read_file(request) if "path" in request else content)
    except AlteredFile as error:
        response = {"altered": str(error)}
    except MemoryError:
        response = {"refused": f"found a file that needs more than {MEMORY_BYTES:,} bytes of memory to parse"}
    except Exception as error:  # a fault in a parser is a reason to refuse the file too
        response = {"refused": f"found a file that crashed its parser: {type(error).__name__}: {error}"}
    with os.fdopen(output, "wb") as file:
        file.write(json.dumps(response, default=encode_value).encode())


def _read_response(read_end: int, child: int) -> bytes:
    """What a child writes until it ends; it is killed if standard input ends, which is the end of the parent."""
    parts = []
    with os.fdopen(read_end, "rb", buffering=0) as file, selectors.DefaultSelector() as selector:
        selector.register(file, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)  # no other request comes before the response to this one
        while True:
            ready = {key.fd for key, _ in selector.select()}
            if 0 in ready:
                os.kill(child, signal.SIGKILL)
                selector.unregister(0)
            if read_end in ready:
                part = file.read(2**20)
                if not part:
                    return b"".join(parts)
                parts.append(part)


def serve_requests() -> None:
    """Respond to requests from standard input, each in a forked child, until it is closed."""
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    for number in itertools.count():
        try:
            request, content = json.loads(_read_frame(stdin)), _read_frame(stdin)
        except EOFError:
            return
        if number == 1:  # not for the first request: often there is only one
            for name in _PARSER_LIBRARIES:
                importlib.import_module(name)
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read_end)
            status = 1
            try:
                _run_child(request, content, write_end)
                status = 0
            finally:
                os._exit(status)
        os.close(write_end)
        result = _read_response(read_end, child)
        exit_code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        stdout.write(exit_code.to_bytes(4, "big", signed=True))
        _write_frame(stdout, result)
