"""The report's words, one dictionary per language: en.yaml and zh.yaml beside this file.

What the records themselves say (reasons, notes, the shipped configs' titles) is English;
`records.zh.yaml` holds their Chinese readings. A failure's own message stays as it is.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.errors import BenchError

FOLDER = Path(__file__).resolve().parent
LANGUAGES = ("en", "zh")

_PLACE = re.compile(r"\{(\w+)\}")


class Words:
    """The words of one language; call it with a key, and with the values that the text names.

    texts: by key; `KEY_one`, where there is one, is taken for `n=1`. sayings: what records say,
    with {places}, and how it reads in this language.
    """

    def __init__(
        self, language: str, texts: Mapping[str, str], sayings: Mapping[str, str] | None = None
    ) -> None:
        self.language = language
        self._texts = texts
        self._sayings = [(_pattern(text), reading) for text, reading in (sayings or {}).items()]

    def __call__(self, key: str, **values: object) -> str:
        """The text under this key, its `{names}` filled in."""
        if values.get("n") == 1:
            key = f"{key}_one" if f"{key}_one" in self._texts else key
        return self._texts[key].format(**values)

    @property
    def page_language(self) -> str:
        """The language as a page declares it."""
        return {"zh": "zh-CN"}.get(self.language, self.language)

    def optional(self, key: str, default: str) -> str:
        """The text under this key, or `default` where there is none."""
        return self._texts.get(key, default)

    def unit(self, unit: str) -> str:
        """A unit as a reader sees it; nothing for a plain number."""
        return self.optional(f"unit_{unit}", unit)

    def listed(self, names: Iterable[str]) -> str:
        """Names as a list in a sentence."""
        return self._texts["list_separator"].join(names)

    def said(self, text: str) -> str:
        """What a record says, in this language; as it stands where nobody has written how."""
        parts = text.split("; ")  # first: the last place of a saying would swallow the next one
        if len(parts) > 1 and all(self._is_known(part) for part in parts):
            return self("sentence_separator").join(self.said(part) for part in parts)
        for pattern, reading in self._sayings:
            found = pattern.fullmatch(text)
            if found is not None:
                return reading.format(**{k: self.said(v) for k, v in found.groupdict().items()})
        return text

    def _is_known(self, text: str) -> bool:
        return any(pattern.fullmatch(text) for pattern, _ in self._sayings)


@functools.cache
def read_words(language: str) -> Words:
    """The dictionary of a language; raises BenchError for one that is not here."""
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise BenchError(f"--lang: no report language {language!r}. Choose one of: {known}.")
    sayings = FOLDER / f"records.{language}.yaml"
    return Words(
        language,
        _read(FOLDER / f"{language}.yaml"),
        _read(sayings) if sayings.is_file() else {},
    )


def _read(path: Path) -> dict[str, str]:
    import yaml

    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {str(key): str(value) for key, value in content.items()}


def _pattern(text: str) -> re.Pattern[str]:
    """A regular expression for a text with {places}."""
    parts = _PLACE.split(text)  # text, name, text, name, ..., text
    shown = [f"(?P<{p}>.+?)" if i % 2 else re.escape(p) for i, p in enumerate(parts)]
    return re.compile("".join(shown), re.DOTALL)
