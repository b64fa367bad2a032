"""The dashboards' web server: Streamlit's, behind a guard of requests and with a content security policy.

`aisle dashboard` starts it; ``streamlit run dashboards/server.py`` does too, with any option of Streamlit.
"""

import base64
import datetime as dt
import hashlib
import re
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from streamlit import config, file_util

from dashboards.queries.visits import COOKIE_SECONDS, name_cookie, parse_visits, renew_visits, write_visits
from warehouse.http_guard import RequestGuard, build_frame_headers, list_own_names, read_name_list

FOLDER = Path(__file__).parent
# Where the server is, for the page: it would look for it below the address of the page first, with two answers 404.
_BASE_SCRIPT = '<script>window.__streamlit={BACKEND_BASE_URL:new URL("./",location.href).href}</script>'
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def _read_index() -> str:
    """The HTML of every page, which Streamlit fills in the browser."""
    html = (Path(file_util.get_static_dir()) / "index.html").read_text(encoding="utf-8")
    return html.replace("<head>", f"<head>{_BASE_SCRIPT}", 1)


def build_policy(html: str, frame_ancestors: str) -> str:
    """The content security policy of a page: nothing from another host, and no script but Streamlit's own."""
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in _INLINE_SCRIPT.findall(html)
    ]
    directives = {
        "default-src": "'self'",
        "script-src": " ".join(["'self'", "'wasm-unsafe-eval'", *(f"'sha256-{value}'" for value in hashes)]),
        "style-src": "'self' 'unsafe-inline'",  # Streamlit sets styles by script
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "media-src": "'self' blob:",
        "connect-src": "'self'",
        "worker-src": "'self' blob:",
        "frame-src": "'self'",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": frame_ancestors,
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def build_routes(html: str) -> list[Route]:
    """The addresses of the pages, below the base path of Streamlit's configuration."""
    base = (config.get_option("server.baseUrlPath") or "").strip("/")
    cookie = name_cookie()

    async def serve_index(request: Request) -> HTMLResponse:
        response = HTMLResponse(html, headers={"cache-control": "no-cache"})
        if "prefetch" not in request.headers.get("sec-purpose", ""):
            now = dt.datetime.now(dt.UTC)
            visits = renew_visits(parse_visits(request.cookies.get(cookie), now), now)
            response.set_cookie(
                cookie,
                write_visits(visits),
                max_age=COOKIE_SECONDS,
                path=f"/{base}",
                secure=request.url.scheme == "https",
                httponly=True,
                samesite="lax",
            )
        return response

    pages = ["", *(path.stem for path in (FOLDER / "app_pages").glob("*.py"))]
    return [Route(f"/{base}/{page}" if base else f"/{page}", serve_index) for page in pages]


def build_guard(html: str) -> Middleware:
    """The guard of requests, with the names and origins that the environment allows."""
    ancestors, headers = build_frame_headers(read_name_list("AISLE_FRAME_ANCESTORS"))
    return Middleware(
        RequestGuard,
        own_names=list_own_names(config.get_option("server.address") or ""),
        added_names=read_name_list("AISLE_HOSTS"),
        headers={"content-security-policy": build_policy(html, ancestors), **headers},
    )


INDEX = _read_index()
# `streamlit run` looks for this assignment in the text of the file
app = st.App(FOLDER / "app.py", routes=build_routes(INDEX), middleware=[build_guard(INDEX)])
