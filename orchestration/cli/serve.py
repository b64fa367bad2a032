"""The commands that serve pages: ``dashboard`` for the dashboards and ``ui`` for Dagster's UI."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from orchestration.cli.console import fail, log, open_lake
from orchestration.cli.servers import ServerGroup
from warehouse.http_guard import build_frame_headers, read_name_list
from warehouse.lake import PROJECT
from warehouse.origin import need_state
from warehouse.public_address import VARIABLE, parse_public_address

_CODE = "orchestration.definitions"
_HostNames = Annotated[
    list[str] | None,
    typer.Option(
        "--host-name",
        help="Also answer under this host name, such as a proxy's; may be repeated, or given as AISLE_HOSTS.",
        show_default=False,
    ),
]
_FrameAncestors = Annotated[
    list[str] | None,
    typer.Option(
        "--frame-ancestor",
        help="Let pages of this origin show the dashboards in a frame; may be repeated, or given as"
        " AISLE_FRAME_ANCESTORS.",
        show_default=False,
    ),
]


def dashboard(
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 8501,
    address: Annotated[
        str, typer.Option(envvar="STREAMLIT_SERVER_ADDRESS", help="Address to listen on; 0.0.0.0 for all.")
    ] = "localhost",
    is_edited: Annotated[
        bool, typer.Option("--edit", help="Let people decide on works, on the page “Review”.")
    ] = False,
    editor: Annotated[
        str, typer.Option("--as", envvar="AISLE_REVIEWER", help="Who decides, with --edit.", metavar="NAME")
    ] = "",
    host_names: _HostNames = None,
    frame_ancestors: _FrameAncestors = None,
    public_address: Annotated[
        str | None,
        typer.Option(
            envvar=VARIABLE, help="Address at which other people open them, for citations: https://example.org/aisle."
        ),
    ] = None,
) -> None:
    """Open the dashboards (Streamlit, http://localhost:8501). Stop with Ctrl-C.

    They only read, unless --edit is given: then a page “Review” records what people decide on works.
    """
    lake, added_names = open_lake(), host_names or []
    ancestors = [*read_name_list("AISLE_FRAME_ANCESTORS"), *(frame_ancestors or [])]
    environment = {"AISLE_LAKE": lake.address, "AISLE_FRAME_ANCESTORS": " ".join(ancestors)}
    environment["AISLE_EDITOR"] = choose_editor(editor, is_edited=is_edited)
    if is_edited and address not in {"localhost", "127.0.0.1", "::1"}:
        log(f"everybody who can open {address} can decide on works: open it to those only who may")
    try:
        build_frame_headers(ancestors)
        if public_address:
            environment[VARIABLE] = parse_public_address(public_address)
            added_names = [*added_names, urlsplit(environment[VARIABLE]).hostname or ""]
    except ValueError as error:
        raise fail(str(error)) from error
    environment["AISLE_HOSTS"] = _join_host_names(added_names)
    command = [sys.executable, "-m", "streamlit", "run", str(PROJECT / "dashboards" / "server.py")]
    with ServerGroup() as group:
        group.start("the dashboards", [*command, "--server.port", str(port), "--server.address", address], environment)
        code = group.wait()
    raise typer.Exit(code or 0)


def ui(
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 3000,
    address: Annotated[
        str, typer.Option(envvar="DAGSTER_WEBSERVER_HOST", help="Address to listen on; 0.0.0.0 for all.")
    ] = "127.0.0.1",
    host_names: _HostNames = None,
) -> None:
    """Open Dagster's UI (http://localhost:3000), which also runs schedules and the inbox sensor. Stop with Ctrl-C."""
    from orchestration.cli.launch import mark_orphaned_runs

    lake, python = open_lake(), [sys.executable, "-m"]
    with lake.hold(need_state, log):  # its configuration of feeds
        pass
    mark_orphaned_runs(lake, log)
    environment = {"AISLE_HOSTS": _join_host_names(host_names), "DAGSTER_WEBSERVER_HOST": address}
    with tempfile.TemporaryDirectory(prefix="aisle-") as folder, ServerGroup() as group:
        socket, workspace = Path(folder) / "code", Path(folder) / "workspace.yaml"
        location = {"socket": str(socket), "host": "localhost", "location_name": _CODE}
        workspace.write_text(json.dumps({"load_from": [{"grpc_server": location}]}), encoding="utf-8")
        options = ["--workspace", str(workspace)]
        code_server = [*python, "dagster", "code-server", "start", "--module-name", _CODE, "--socket", str(socket)]
        group.start("the server of aisle's definitions", [*code_server, "--log-level", "warning"], {})
        code = group.wait(is_ready=lambda: _answers(socket))
        if code is None:
            group.start("Dagster's daemon", [*python, "dagster._daemon", "run", *options], {})
            server = [*python, "orchestration.cli.webserver", *options, "--port", str(port)]
            group.start("Dagster's web server", server, environment)
            code = group.wait()
    mark_orphaned_runs(lake, log)  # the runs that ended with the servers
    raise typer.Exit(code or 0)


def choose_editor(name: str, *, is_edited: bool) -> str:
    """Who decides on the pages: nobody without ``--edit``, whatever the environment of the command has.

    Raises:
        typer.Exit: There is no name; the reason is printed.
    """
    if not is_edited:
        return ""
    if not name.strip():
        raise fail("--edit needs the name of who decides: add --as NAME, or set AISLE_REVIEWER")
    return name.strip()


def _join_host_names(added: list[str] | None) -> str:
    return " ".join([*read_name_list("AISLE_HOSTS"), *(added or [])])


def _answers(socket: Path) -> bool:
    """Whether the code server has loaded the definitions."""
    from dagster._core.errors import DagsterUserCodeUnreachableError
    from dagster._grpc.client import DagsterGrpcClient

    try:
        DagsterGrpcClient(socket=str(socket)).ping("aisle")
    except DagsterUserCodeUnreachableError:
        return False
    return True
