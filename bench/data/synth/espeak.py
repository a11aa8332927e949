"""Calls espeak-ng's C API in a separate process: `python espeak.py LIBRARY DATA`.

Each input line is one JSON object (text, voice, rate, pitch, range). The answer is one JSON line,
{"error": ...} or {"bytes": n, "phonemes": [[sample, ipa], ...]}, followed by n bytes of int16
samples at 22050 Hz. The process is separate because espeak-ng is not thread safe and keeps a hidden
state (the flutter of its voices continues from sentence to sentence, even after the library is
reinitialised): only a fresh process always gives the same samples for the same lines. It imports
the standard library alone, to start fast.
"""

from __future__ import annotations

import ctypes
import json
import sys

ESPEAK_RATE = 22_050

# espeak-ng/speak_lib.h
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_PHONEME_EVENTS, _PHONEME_IPA, _DONT_EXIT = 0x0001, 0x0002, 0x8000
_CHARS_UTF8, _POS_CHARACTER = 1, 1
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_EVENT_LIST_TERMINATED, _EVENT_PHONEME = 0, 7


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class _Speaker:
    """The library, initialised once per process."""

    def __init__(self, library: str, data: str) -> None:
        self.library = ctypes.CDLL(library)
        flags = _PHONEME_EVENTS | _PHONEME_IPA | _DONT_EXIT
        rate = self.library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data.encode(), flags)
        if rate != ESPEAK_RATE:
            raise OSError(f"{data}: espeak-ng answers {rate}; expected {ESPEAK_RATE} Hz")
        self._make_breath_repeatable()
        self.samples: list[bytes] = []
        self.phonemes: list[tuple[int, str]] = []
        self.callback = _CALLBACK(self.receive)  # kept, else it is collected
        self.library.espeak_SetSynthCallback(self.callback)

    def _make_breath_repeatable(self) -> None:
        """Seeds the random numbers behind the noise of breathy voices.

        espeak-ng seeds them with the time when it starts: without this call the same line gives
        other samples a second later.
        """
        self.library.espeak_ng_SetRandSeed(ctypes.c_long(1))

    def receive(
        self, wave: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]
    ) -> int:
        """espeak's callback: receives some samples and their events."""
        if wave and count > 0:
            self.samples.append(ctypes.string_at(wave, count * 2))
        number = 0
        while events[number].type != _EVENT_LIST_TERMINATED:
            event = events[number]
            if event.type == _EVENT_PHONEME:
                name = event.id.string.decode("utf-8", "ignore")
                self.phonemes.append((event.sample, name))
            number += 1
        return 0

    def answer(self, line: str) -> tuple[dict[str, object], bytes]:
        """The answer to one line."""
        asked = json.loads(line)
        library = self.library
        if library.espeak_SetVoiceByName(asked["voice"].encode()) != 0:
            return {"error": f"espeak-ng has no voice {asked['voice']!r}."}, b""
        settings = ((_RATE, "rate"), (_PITCH, "pitch"), (_RANGE, "range"))
        for parameter, name in settings:
            library.espeak_SetParameter(parameter, int(asked[name]), 0)
        library.espeak_SetParameter(_VOLUME, 100, 0)
        self.samples.clear()
        self.phonemes.clear()
        text = asked["text"].encode()
        library.espeak_Synth(text, len(text) + 1, 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None)
        library.espeak_Synchronize()
        sound = b"".join(self.samples)
        if not any(name for _, name in self.phonemes):
            return {"error": f"espeak-ng says nothing for {asked['text']!r}."}, b""
        return {"bytes": len(sound), "phonemes": self.phonemes}, sound


def _serve(library: str, data: str) -> None:
    """Answers every line of standard input until its end."""
    speaker = _Speaker(library, data)
    for line in sys.stdin:
        facts, sound = speaker.answer(line)
        sys.stdout.buffer.write(json.dumps(facts).encode() + b"\n" + sound)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2])
