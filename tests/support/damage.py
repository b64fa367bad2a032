"""Damage of files in tests."""

from __future__ import annotations

from pathlib import Path


def flip_byte(path: Path) -> None:
    """Change one byte in the middle of a file, which keeps its length."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
