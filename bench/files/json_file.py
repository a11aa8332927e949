"""JSON files, written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

from bench.files.one_move import in_one_move


def write_json(path: Path, value: object) -> None:
    """Writes a JSON file whole or not at all; a file that already has this content stays as is."""
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    with in_one_move(path) as part:
        part.write_text(text, encoding="utf-8")
