"""A lake on an object store beside one on disk: CPU and wall seconds of the main commands, and the requests they send.

The store is Ceph's RADOS gateway on this machine, so its own CPU seconds are not in the figures, and its answers come
at once: over a network, each request in a row costs a round trip more. It needs the Debian packages that `make
test-store` installs.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.pipeline import measure_command
from benchmarks.results import Row, keep_results
from tests.support.object_gateway import make_bucket, serve_gateway
from tests.support.store_proxy import serve_proxy

_AISLE = "from orchestration.cli.app import main; main()"
_PAGE = """
from streamlit.testing.v1 import AppTest
app = AppTest.from_file('dashboards/app.py', default_timeout=300).run()
assert not app.exception and app.title
"""
# what is run, by which code, and whether this machine has read nothing of the lake before
_COMMANDS: tuple[tuple[str, str, tuple[str, ...], bool], ...] = (
    ("aisle run, empty lake", _AISLE, ("run",), True),
    ("aisle run, nothing new", _AISLE, ("run",), False),
    ("aisle run, nothing new, on another machine", _AISLE, ("run",), True),
    ("aisle sql, cold cache", _AISLE, ("sql", "from mart.publications_by_lab_year"), True),
    ("aisle sql, again", _AISLE, ("sql", "from mart.publications_by_lab_year"), False),
    ("first page, cold cache", _PAGE, (), True),
    ("first page, again", _PAGE, (), False),
)


def main() -> None:
    """Time each command on disk and at the store, one after the other, and print a line for each."""
    requests, rows, cache = Counter[str](), list[Row](), ""

    def count(method: str, _: str) -> None:
        requests[method] += 1

    with tempfile.TemporaryDirectory() as folder, serve_gateway() as variables:
        make_bucket(variables, "lakes")
        with serve_proxy(variables["AWS_ENDPOINT_URL"], count) as endpoint:
            print(f"{'':46}{'CPU s':>8}{'wall s':>8}{'requests':>10}")
            for number, (name, script, arguments, is_cold) in enumerate(_COMMANDS):
                cache = str(Path(folder) / f"cache{number}") if is_cold else cache
                for place, lake in (("on disk", Path(folder) / "lake"), ("on the store", "s3://lakes/lake")):
                    os.environ.update({**variables, "AWS_ENDPOINT_URL": endpoint, "AISLE_CACHE": cache})
                    requests.clear()
                    cpu_seconds, wall_seconds = measure_command(script, lake, *arguments)
                    sent = ", ".join(f"{n} {method}" for method, n in sorted(requests.items()))
                    print(
                        f"{name + ', ' + place:46}{cpu_seconds:8.2f}{wall_seconds:8.2f}{requests.total():10}   {sent}"
                    )
                    measure = f"{name}: {requests.total()} requests" if requests else name
                    rows.append(Row(measure, place, cpu_seconds=cpu_seconds, wall_seconds=wall_seconds))
    keep_results("object_storage", sys.argv[1:], rows)


if __name__ == "__main__":
    main()
