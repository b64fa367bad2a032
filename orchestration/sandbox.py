"""Reading outside bytes in a process of its own, under limits of memory and time.

A forged workbook can end the process that reads it, and an ordinary-looking text can keep a pattern busy
for hours. The reading process therefore sets hard limits on itself before it looks at a byte, and whatever
happens to it becomes a sentence for the person who added the file.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from orchestration.sources import Refused, recognised, source_named
from orchestration.sources.document import Document, Unreadable
from orchestration.sources.source import Damaged, Parsed, Record, Reject, first
from warehouse.sql_box.confine import ending_told, limit_resources

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
    ended = ending_told(done.returncode)
    if ended is not None:
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
    return answer["source"], Parsed(items)


def _to_json(value: object) -> object:
    if isinstance(value, dt.date):
        return {"date": value.isoformat()}
    raise TypeError(f"{type(value).__name__} cannot be handed over")


def _from_json(value: Any) -> Any:
    return dt.date.fromisoformat(value["date"]) if isinstance(value, dict) else value


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
    if not parsed.records:
        return {"refused": f"found a document of {source.name} without a single record"}
    return {"source": source.name, "items": [vars(item) for item in parsed.items]}


def _main() -> None:
    limit_resources(MEMORY_BYTES, CPU_SECONDS)
    answer = _answer(json.loads(sys.stdin.buffer.read()))
    sys.stdout.write(json.dumps(answer, default=_to_json))


if __name__ == "__main__":
    _main()
