"""The report's texts, one dictionary per language: en.yaml and zh.yaml beside this file.

Records hold English texts (reasons, notes, titles of shipped configs); `records.zh.yaml` translates
them into Chinese. Messages of failures are not translated.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.ground.errors import BenchError

FOLDER = Path(__file__).resolve().parent
LANGUAGES = ("en", "zh")

_PLACE = re.compile(r"\{(\w+)\}")


class Words:
    """The texts of one language; call it with a key and the values of the text's {places}.

    texts: by key; `KEY_one`, if it exists, is used for `n=1`. sayings: texts of records, with
    {places}, and their translations.
    """

    def __init__(
        self, language: str, texts: Mapping[str, str], sayings: Mapping[str, str] | None = None
    ) -> None:
        self.language = language
        self._texts = texts
        self._sayings = [(_pattern(text), reading) for text, reading in (sayings or {}).items()]

    def __call__(self, key: str, **values: object) -> str:
        """The text of this key with its `{places}` filled in."""
        if values.get("n") == 1:
            key = f"{key}_one" if f"{key}_one" in self._texts else key
        return self._texts[key].format(**values)

    @property
    def page_language(self) -> str:
        """The language code for the page's `lang` attribute."""
        return {"zh": "zh-CN"}.get(self.language, self.language)

    def optional(self, key: str, default: str) -> str:
        """The text of this key, or `default` if there is none."""
        return self._texts.get(key, default)

    def unit(self, unit: str) -> str:
        """A unit as shown to readers; empty for a plain number."""
        return self.optional(f"unit_{unit}", unit)

    def listed(self, names: Iterable[str]) -> str:
        """Names as a list in a sentence."""
        return self._texts["list_separator"].join(names)

    def translated(self, text: str) -> str:
        """A record's text in this language; unchanged if there is no translation."""
        parts = text.split(
            "; "
        )  # first, because a saying's last place would match the next part too
        if len(parts) > 1 and all(self._is_known(part) for part in parts):
            return self("sentence_separator").join(self.translated(part) for part in parts)
        for pattern, reading in self._sayings:
            found = pattern.fullmatch(text)
            if found is not None:
                return reading.format(
                    **{k: self.translated(v) for k, v in found.groupdict().items()}
                )
        return text

    def _is_known(self, text: str) -> bool:
        return any(pattern.fullmatch(text) for pattern, _ in self._sayings)


@functools.cache
def read_words(language: str) -> Words:
    """The dictionary of a language; raises BenchError for an unknown language."""
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise BenchError(f"--lang: unknown report language {language!r}; choose one of {known}.")
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
