"""The report's words, one dictionary per language: en.yaml and zh.yaml beside this file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.errors import BenchError

FOLDER = Path(__file__).resolve().parent
LANGUAGES = ("en", "zh")


class Words:
    """The words of one language; call it with a key, and with the values that the text names."""

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        self.language = language
        self._texts = texts

    def __call__(self, key: str, **values: object) -> str:
        """The text under this key, its `{names}` filled in."""
        return self._texts[key].format(**values)

    def optional(self, key: str, default: str) -> str:
        """The text under this key, or `default` where there is none."""
        return self._texts.get(key, default)


def read_words(language: str) -> Words:
    """The dictionary of a language; raises BenchError for one that is not here."""
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise BenchError(f"--lang: no report language {language!r}. Choose one of: {known}.")
    import yaml

    text = (FOLDER / f"{language}.yaml").read_text(encoding="utf-8")
    return Words(language, {str(key): str(value) for key, value in yaml.safe_load(text).items()})
