"""A network in ONNX's form for tests, written byte by byte: the mean colour of a picture."""

from __future__ import annotations

FLOAT = 1  # ONNX's number for float32


def mean_colour(height: int, width: int) -> bytes:
    """The file of a network from "data" (1, 3, height, width) to "fc1" (1, 3)."""
    graph = (
        _message(1, _node("GlobalAveragePool", "data", "pooled"))
        + _message(1, _node("Flatten", "pooled", "fc1"))
        + _text(2, "mean colour")
        + _message(11, _value("data", (1, 3, height, width)))
        + _message(12, _value("fc1", (1, 3)))
    )
    return _number(1, 8) + _message(8, _text(1, "") + _number(2, 11)) + _message(7, graph)


def _node(kind: str, source: str, target: str) -> bytes:
    return _text(1, source) + _text(2, target) + _text(3, kind) + _text(4, kind)


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    sides = b"".join(_message(1, _number(1, side)) for side in shape)
    tensor = _number(1, FLOAT) + _message(2, sides)
    return _text(1, name) + _message(2, _message(1, tensor))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode())


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])
