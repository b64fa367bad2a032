"""CPU seconds of `aisle fetch` for 10,000 forum comments from a local server, of a repeated fetch, and of `aisle run`.

Run with ``python -m benchmarks.fetch``. The server is a separate process and not measured; the pace is set to a
minimum, so that waiting does not count. The second fetch brings nothing new.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.pipeline import measure_command
from benchmarks.results import Row, keep_results
from tests.support.http_server import ServerRequest, ServerResponse, serve_http

COMMENTS = 10_000
FIRST = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
DAYS = 700
WORDS = (
    "we",
    "think",
    "that",
    "this",
    "model",
    "may",
    "learn",
    "what",
    "reward",
    "means",
    "when",
    "data",
    "is",
    "hard",
)
CONFIGURATION = """
[fetch]
bundled = false
contact = "bench@example.org"
interval_seconds = 0.001
allow_private = ["HOST"]
[feeds.comments]
source = "forum_comments"
url = "http://HOST/graphql"
robots = "ignore"
enabled = true
settings = { from = "FIRST" }
"""


def make_comments() -> list[tuple[str, dict[str, object]]]:
    """Random comments of 50 to 400 words with their times, oldest first."""
    generator = random.Random(1)
    moments = sorted(FIRST + dt.timedelta(seconds=generator.randrange(DAYS * 86400)) for _ in range(COMMENTS))
    comments = []
    for number, moment in enumerate(moments):
        posted_at = moment.isoformat().replace("+00:00", ".000Z")
        post = f"p{number % 500}"
        paragraphs = [" ".join(generator.choices(WORDS, k=generator.randint(25, 200))) for _ in range(2)]
        page = f"https://www.lesswrong.com/posts/{post}/a-post"
        comments.append(
            (
                posted_at,
                {
                    "_id": f"c{number}",
                    "postId": post,
                    "pageUrl": f"{page}?commentId=c{number}",
                    "postedAt": posted_at,
                    "lastEditedAt": posted_at,
                    "baseScore": generator.randint(-5, 60),
                    "voteCount": 9,
                    "user": {
                        "_id": f"u{number % 300}",
                        "slug": f"user-{number % 300}",
                        "displayName": f"User {number % 300}",
                    },
                    "post": {"_id": post, "title": f"Post {post}", "slug": "a-post", "pageUrl": page},
                    "contents": {"html": "".join(f"<p>{text}</p>" for text in paragraphs), "wordCount": 100},
                },
            )
        )
    return comments


def serve() -> None:
    """Serve the comments until killed."""
    comments = make_comments()

    def respond(request: ServerRequest) -> ServerResponse:
        variables = json.loads(request.body)["variables"]
        terms = next(iter(variables["selector"].values()))
        matches = [comment for moment, comment in comments if terms["after"] <= moment < terms["before"]]
        page = matches[variables["offset"] :][: variables["limit"]]
        content = {"data": {"comments": {"results": page, "totalCount": len(matches)}}}
        return ServerResponse(json.dumps(content).encode())

    with serve_http(respond) as server:
        print(server.host, flush=True)
        time.sleep(3600)


def main() -> None:
    """Print a line per command."""
    aisle = "from orchestration.cli.app import main; main()"
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fetch", "serve"], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        host = server.stdout.readline().strip() if server.stdout else ""
        with tempfile.TemporaryDirectory() as folder:
            lake = Path(folder) / "lake"
            lake.mkdir()
            (lake / "feeds.toml").write_text(
                CONFIGURATION.replace("HOST", host).replace("FIRST", f"{FIRST:%Y-%m-%d}"), encoding="utf-8"
            )
            print(f"{'':34}{'CPU s':>8}{'wall s':>8}")
            rows = []
            for name, arguments in (
                (f"aisle fetch, {COMMENTS:,} comments", ("fetch",)),
                ("aisle fetch, repeated", ("fetch",)),
                ("aisle run", ("run",)),
            ):
                cpu, wall = measure_command(aisle, lake, *arguments)
                print(f"{name:34}{cpu:8.2f}{wall:8.2f}", flush=True)
                rows.append(Row(name, size=COMMENTS, cpu_seconds=cpu, wall_seconds=wall))
            log = [
                json.loads(line)
                for path in (lake / "fetch" / "feeds" / "comments" / "log").glob("*.jsonl")
                for line in path.read_text(encoding="utf-8").splitlines()
            ]
            records, kept = sum(line["records"] or 0 for line in log), sum(line["result"] == "kept" for line in log)
            print(f"{len(log)} requests, {records:,} records in all, {kept} snapshots")
            keep_results("fetch", sys.argv[1:], rows)
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else main()
