"""Reading outside bytes in a process of its own, under limits of memory and time.

A forged workbook can end the process that reads it, and an ordinary-looking text can keep a pattern busy
for hours. The reading process therefore sets hard limits on itself before it looks at a byte, and whatever
happens to it becomes a sentence for the person who added the file.
"""

from __future__ import annotations

import atexit
import contextlib
import datetime as dt
import importlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from orchestration.sources.registry import Refused, recognised, source_named
from orchestration.sources.shared.document import Document, Unreadable
from orchestration.sources.shared.failure_page import failure_in
from orchestration.sources.source import Damaged, NotThisSource, Parsed, Record, Reject, first
from warehouse.sql_box.confine import ending_told, limit_resources

MEMORY_BYTES = 2 * 2**30
CPU_SECONDS = 60
WALL_SECONDS = 180
_BEARABLE_FAULTS = 10  # with as many unreadable records in one answer, its place rather has another form than before
PROJECT = Path(__file__).parents[2]
_PARSERS = ("feedparser", "lxml.etree", "lxml.html", "python_calamine", "selectolax.lexbor")
_START = "import sys; sys.path.insert(0, sys.argv[1]); from orchestration.ingest.parser_process import serve; serve()"


def parse_file(path: Path, name: str, hints: Mapping[str, str], source: str | None = None) -> tuple[str, Parsed]:
    """Recognise and parse a file in a process of its own.

    Args:
        path: Where the bytes lie.
        name: The name to use in messages.
        hints: What is known of the document from outside it (``owner``).
        source: Name of its source if that is settled, so that it need not be recognised.

    Returns:
        Name of the source, and what the document holds.

    Raises:
        Refused: The document is a failure page, not recognised, damaged, or brought its reader down.
    """
    asked = {"path": str(path.resolve()), "name": name, "hints": dict(hints), "source": source}
    return _parsed(_asked(asked, b""))


def parse_bytes(content: bytes, name: str, hints: Mapping[str, str], source: str | None = None) -> tuple[str, Parsed]:
    """Recognise and parse bytes, as a document of one source or of any, in a process of its own.

    Raises:
        Refused: The document is a failure page, not of this source, damaged, or brought its reader down.
    """
    asked = {"name": name, "hints": dict(hints), "source": source, "is_to_be_recognised": source is not None}
    return _parsed(_asked(asked, content))


def failure_in_bytes(content: bytes) -> str | None:
    """What kind of failure page some bytes are, looked at in a process of its own; none if they are none."""
    try:
        return _asked({"name": "", "hints": {}, "only_look": True}, content)["failure"]
    except Refused as refusal:
        return str(refusal)


def _asked(request: dict[str, Any], content: bytes) -> dict[str, Any]:
    for is_last in (False, True):
        try:
            reader = _idle.pop()
        except IndexError:
            reader = _Reader()
        try:
            answer = reader.answer(request, content)
            break
        except (OSError, EOFError) as error:  # not the document's reader but the process that forks them
            reader.end()
            if is_last:
                raise Refused("found a file that brought its reader down: no answer") from error
        except BaseException:
            reader.end()
            raise
    _idle.append(reader)
    if "refused" in answer:
        raise Refused(answer["refused"])
    return answer


def _parsed(answer: dict[str, Any]) -> tuple[str, Parsed]:
    items: list[Record | Reject] = [
        Record(item["identity"], {k: _from_json(v) for k, v in item["values"].items()}, item["locator"])
        if "identity" in item
        else Reject(**item)
        for item in answer["items"]
    ]
    return answer["source"], Parsed(items, Counter(answer["unparsed"]), answer["is_answer"])


class _Reader:
    """A process that has the parsers loaded and forks a reader for each document, so that starting costs little.

    It gets none of this process's environment, which may hold secrets.
    """

    def __init__(self) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH") if name in os.environ}
        self._is_stopped = False
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, str(PROJECT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=kept,
            start_new_session=True,  # so that it can be ended with what it forked, and Ctrl-C is not for it
        )

    def answer(self, request: dict[str, Any], content: bytes) -> dict[str, Any]:
        """What becomes of one document.

        Raises:
            Refused: Its reader was brought down, or took too long.
            OSError, EOFError: This process has ended.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise OSError("the reading process was started without pipes")
        timer = threading.Timer(WALL_SECONDS, self._stop)
        timer.start()
        try:
            _write_part(stdin, json.dumps(request).encode())
            _write_part(stdin, content)
            ended, told = int.from_bytes(stdout.read(4), "big", signed=True), _read_part(stdout)
        except (OSError, EOFError) as error:
            if self._is_stopped:
                raise Refused(f"found a file that could not be read within {WALL_SECONDS} seconds") from error
            raise
        finally:
            timer.cancel()
            timer.join()
        if self._is_stopped:
            raise Refused(f"found a file that took {WALL_SECONDS} seconds to be read")
        name = ending_told(ended)
        if name is not None:
            limit = f" (more than {CPU_SECONDS} s of computing)" if name == "SIGXCPU" else ""
            return {"refused": f"found a file whose reading ended with {name}{limit}; it is probably damaged or forged"}
        try:
            return json.loads(told)
        except ValueError:
            return {"refused": "found a file that brought its reader down: no answer"}

    def _stop(self) -> None:
        self._is_stopped = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> None:
        """End it, and what it forked."""
        self._stop()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


_idle: list[_Reader] = []


@atexit.register
def _end_readers() -> None:
    while _idle:
        _idle.pop().end()


def _write_part(file: IO[bytes], part: bytes) -> None:
    file.write(len(part).to_bytes(8, "big"))
    file.write(part)
    file.flush()


def _read_part(file: IO[bytes]) -> bytes:
    head = file.read(8)
    part = file.read(int.from_bytes(head, "big"))
    if len(head) < 8 or len(part) < int.from_bytes(head, "big"):
        raise EOFError
    return part


def _to_json(value: object) -> object:
    if isinstance(value, dt.datetime):
        return {"moment": value.isoformat()}
    if isinstance(value, dt.date):
        return {"date": value.isoformat()}
    raise TypeError(f"{type(value).__name__} cannot be handed over")


def _from_json(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return dt.datetime.fromisoformat(value["moment"]) if "moment" in value else dt.date.fromisoformat(value["date"])


def _answer(request: dict[str, Any], content: bytes) -> dict[str, Any]:
    content = Path(request["path"]).read_bytes() if "path" in request else content
    document = Document(content, request["name"], request["hints"])
    try:
        failure = failure_in(document)
        if request.get("only_look"):
            return {"failure": failure}
        if failure is not None:
            return {"refused": f"found {failure}"}
        source = source_named(request["source"]) if request["source"] else recognised(document)
        if request.get("is_to_be_recognised"):
            source.recognise(document)
        parsed = source.parse(document)
    except NotThisSource as found:
        return {"refused": f"found {document.kind}, as {source.name}: {found}; expected {source.expected}"}
    except (Damaged, Unreadable) as found:
        return {"refused": f"found a damaged file: {found}"}
    except Refused as refusal:
        return {"refused": str(refusal)}
    except MemoryError:
        return {"refused": f"found a file that needs more than {MEMORY_BYTES:,} bytes of memory to be read"}
    faults = [item for item in parsed.rejects if item.is_fault]
    # what a place answers is often small, and one damaged record in it must not hold back its feed for ever
    bearable = _BEARABLE_FAULTS if "feed" in request["hints"] else 1
    if len(faults) >= max(len(parsed.records), bearable):
        worst = first([f"{item.locator}: {item.reason}" for item in faults])
        found = f"{len(faults)} of its {len(parsed.items)} records are unreadable ({worst})"
        return {"refused": f"found a document of {source.name}, but {found}"}
    if not parsed.records and not (parsed.is_answer or (faults and bearable > 1)):
        return {"refused": f"found a document of {source.name} without a single record"}
    return {
        "source": source.name,
        "items": [vars(item) for item in parsed.items],
        "unparsed": parsed.unparsed,
        "is_answer": parsed.is_answer,
    }


def _read_one(request: dict[str, Any], content: bytes, out: int) -> None:
    """Set the limits, read one document, write the answer; in a process of its own, which ends here."""
    limit_resources(MEMORY_BYTES, CPU_SECONDS)
    os.close(0)
    os.close(1)
    try:
        answer = _answer(request, content)
    except Exception as error:  # whatever a parser did not foresee is told like the rest
        answer = {"refused": f"found a file that brought its reader down: {type(error).__name__}: {error}"}
    with os.fdopen(out, "wb") as file:
        file.write(json.dumps(answer, default=_to_json).encode())


def serve() -> None:
    """Read documents from the pipe and answer each, until the pipe is closed."""
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    for number in itertools.count():
        try:
            request, content = json.loads(_read_part(stdin)), _read_part(stdin)
        except EOFError:
            return
        if number == 1:  # not for the first, since a single file is most often all there is
            for name in _PARSERS:
                importlib.import_module(name)
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read_end)
            status = 1
            try:
                _read_one(request, content, write_end)
                status = 0
            finally:
                os._exit(status)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as answers:
            told = answers.read()
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        stdout.write(ended.to_bytes(4, "big", signed=True))
        _write_part(stdout, told)
