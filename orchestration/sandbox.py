"""Reading outside bytes in a process of its own, under limits of memory and time.

A forged workbook can end the process that reads it, and an ordinary-looking text can keep a pattern busy
for hours. The reading process therefore sets hard limits on itself before it looks at a byte, and whatever
happens to it becomes a sentence for the person who added the file.
"""

from __future__ import annotations

import datetime as dt
import json
import resource
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from orchestration.sources import Refused, recognised, source_named
from orchestration.sources.document import Document, Unreadable
from orchestration.sources.source import Damaged, Parsed, Record, Reject, first

MEMORY_BYTES = 2 * 2**30
CPU_SECONDS = 60
WALL_SECONDS = 180


def parse_file(path: Path, name: str, hints: dict[str, str], source: str | None = None) -> tuple[str, Parsed]:
    """Recognise and parse a file in a process of its own.

    Args:
        path: Where the bytes lie.
        name: The name to use in messages.
        hints: What is known of the document from outside it (``owner``).
        source: Name of its source if that is settled, so that it need not be recognised.

    Returns:
        Name of the source, and what the document holds.

    Raises:
        Refused: The document is not recognised, damaged, or brought its reader down.
    """
    request = json.dumps({"path": str(path), "name": name, "hints": hints, "source": source})
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "orchestration.sandbox"],
            input=request.encode(),
            capture_output=True,
            timeout=WALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Refused(f"found a file that could not be read within {WALL_SECONDS} seconds") from error
    if done.returncode < 0:
        ended = signal.Signals(-done.returncode).name
        limit = f" (more than {CPU_SECONDS} s of computing)" if ended == "SIGXCPU" else ""
        raise Refused(f"found a file whose reading ended with {ended}{limit}; it is probably damaged or forged")
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise Refused(f"found a file that brought its reader down: {last or 'no answer'}") from error
    if "refused" in answer:
        raise Refused(answer["refused"])
    items: list[Record | Reject] = [
        Record(item["identity"], {k: _from_json(v) for k, v in item["values"].items()}, item["locator"])
        if "identity" in item
        else Reject(**item)
        for item in answer["items"]
    ]
    return answer["source"], Parsed(items, Counter(answer["unparsed"]), answer["is_answer"])


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


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    document = Document(Path(request["path"]).read_bytes(), request["name"], request["hints"])
    try:
        source = source_named(request["source"]) if request["source"] else recognised(document)
        parsed = source.parse(document)
    except (Damaged, Unreadable) as found:
        return {"refused": f"found a damaged file: {found}"}
    except Refused as refusal:
        return {"refused": str(refusal)}
    except MemoryError:
        return {"refused": f"found a file that needs more than {MEMORY_BYTES:,} bytes of memory to be read"}
    faults = [item for item in parsed.rejects if item.is_fault]
    if len(faults) >= max(len(parsed.records), 1):
        worst = first([f"{item.locator}: {item.reason}" for item in faults])
        found = f"{len(faults)} of its {len(parsed.items)} records are unreadable ({worst})"
        return {"refused": f"found a document of {source.name}, but {found}"}
    if not parsed.records and not parsed.is_answer:
        return {"refused": f"found a document of {source.name} without a single record"}
    return {
        "source": source.name,
        "items": [vars(item) for item in parsed.items],
        "unparsed": parsed.unparsed,
        "is_answer": parsed.is_answer,
    }


def _main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answer = _answer(json.loads(sys.stdin.buffer.read()))
    sys.stdout.write(json.dumps(answer, default=_to_json))


if __name__ == "__main__":
    _main()
