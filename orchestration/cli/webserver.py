"""Dagster's web server behind a guard of requests; `aisle ui` starts it, with the options of ``dagster-webserver``."""

from __future__ import annotations

import os
from typing import Any

from dagster_webserver import cli
from starlette.applications import Starlette

from warehouse.http_guard import RequestGuard, build_frame_headers, list_own_names, read_name_list

PREFIX = "DAGSTER_WEBSERVER"  # of the environment variables that set its options
_create_app = cli.create_app_from_workspace_process_context


def _create_guarded_app(*arguments: Any, **options: Any) -> Starlette:
    app = _create_app(*arguments, **options)
    _, headers = build_frame_headers([])
    own_names = list_own_names(os.environ.get(f"{PREFIX}_HOST", "localhost"))
    app.add_middleware(RequestGuard, own_names=own_names, added_names=read_name_list("AISLE_HOSTS"), headers=headers)
    return app


if __name__ == "__main__":
    cli.create_app_from_workspace_process_context = _create_guarded_app  # ty: ignore[invalid-assignment] - its one hook
    cli.cli(auto_envvar_prefix=PREFIX)
