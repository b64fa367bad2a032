"""The commands on whole lakes: ``lake copy``, which is the backup and the restore."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli.console import fail, log, show_line

app = typer.Typer(help="Copy whole lakes: the backup and the restore.", no_args_is_help=True)


@app.callback()
def lake() -> None:
    """Copy whole lakes: the backup and the restore."""


@app.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="SRC", help="Folder of a lake, or s3://bucket/prefix.")],
    target: Annotated[str, typer.Argument(metavar="DST", help="An empty folder or prefix, or an earlier copy.")],
) -> None:
    """Copy a lake to another folder or object store, each file compared with its hash.

    Repeat it to go on after an interruption, or to bring an earlier copy up to date: what is there already is not
    copied again. What the machine alone uses is not copied: the inbox, Dagster's history, caches. Open the copy with
    `AISLE_LAKE=DST aisle status`.
    """
    from orchestration.cli.prune import format_bytes
    from warehouse.lake import UnusableLake
    from warehouse.object_store.client import NoBucket
    from warehouse.object_store.copying import UnfitTarget, copy_lake

    try:
        result = copy_lake(source, target, log)
    except (UnfitTarget, UnusableLake) as error:
        raise fail(str(error)) from error
    except OSError as error:
        if isinstance(error, NoBucket):
            raise fail(str(error)) from error
        raise fail(f"the copy is not complete: {error}; repeat the command to go on") from error
    copied = f"{result.copied_files:,} copied now ({format_bytes(result.copied_bytes)}), the others were there"
    show_line(f"{target} has all {result.files:,} files of {source}: {copied}")
