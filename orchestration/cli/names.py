"""What `aisle add` adds: the addresses, and the files of paths, folders and manifests of bulk files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from orchestration.cli.console import log
from orchestration.ingest.files import HIDDEN, INCOMPLETE, find_files, find_reason_to_skip
from orchestration.ingest.manifest import MANIFESTS, InvalidManifest, find_problem, is_manifest, read_manifest
from orchestration.sources.source import list_first
from warehouse.terminal_text import escape_name


def is_address(text: str) -> bool:
    """Whether an argument is an address rather than a path."""
    return text.lower().startswith(("http://", "https://"))


@dataclass
class NameList:
    """Addresses and files to add, in order.

    Args:
        names: The addresses, and the paths of the files.
        refused: Number of entries that cannot be added; each is logged.
        records: How many records parts of bulk files should have, by their manifests.
        skipped: Names of files that are not added, by the reason.
        damaged: Parts that are not as their manifest has them.
    """

    names: list[str] = field(default_factory=list)
    refused: int = 0
    records: dict[Path, int] = field(default_factory=dict)
    skipped: dict[str, list[str]] = field(default_factory=dict)
    damaged: set[Path] = field(default_factory=set)

    def add_folder(self, folder: Path) -> None:
        """Add the files of a folder, but for parts that are missing or cut short by its manifest."""
        try:
            found = find_files(folder)
        except OSError as error:
            self._refuse(f"{folder}: cannot be read: {error.strerror}")
            return
        for parent in sorted({file.parent for file in found.files if file.name in MANIFESTS}):
            self._read_manifest(parent)
        self.names += [str(file) for file in found.files if file.name not in MANIFESTS and file not in self.damaged]
        for file, reason in found.skipped:
            self.skipped.setdefault(reason, []).append(escape_name(file.name))
        for file, reason in found.refused:
            self._refuse(f"{file}: refused: found {reason}; it was left where it is")

    def add_manifest(self, path: Path) -> None:
        """Add the parts that a manifest lists, but for those that are missing or cut short."""
        self.names += map(str, self._read_manifest(path.parent))

    def _read_manifest(self, folder: Path) -> list[Path]:
        whole = list[Path]()
        try:
            for part in read_manifest(folder) or []:
                if problem := find_problem(folder, part):
                    self.damaged.add(part.path)
                    self._refuse(f"{folder / 'manifest'}: {problem}")
                    continue
                whole.append(part.path)
                if part.records is not None:
                    self.records[part.path] = part.records
        except InvalidManifest as error:
            self._refuse(str(error))
        return whole

    def _refuse(self, text: str) -> None:
        self.refused += 1
        log(f"✗ {escape_name(text)}")


def list_names(paths: list[str]) -> NameList:
    """The addresses and files to add; logs what is skipped and what cannot be added."""
    found = NameList()
    for path in paths:
        if is_address(path):
            found.names.append(path)
        elif Path(path).is_dir():
            found.add_folder(Path(path))
        elif is_manifest(Path(path)):
            found.add_manifest(Path(path))
        elif (reason := find_reason_to_skip(Path(path).name)) in {None, HIDDEN}:
            found.names.append(path)
        else:
            found.skipped.setdefault(reason, []).append(escape_name(Path(path).name))
    for reason, files in found.skipped.items():
        what = f"{reason}, by the name; rename it to add it" if reason == INCOMPLETE else reason
        log(f"skipped {list_first(files)}: {what}")
    return found
