"""JSON frames over a socket between local mode and its worker processes: four bytes of length, then UTF-8 JSON."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

_LENGTH = struct.Struct(">I")


def send_frame(channel: socket.socket, payload: bytes) -> None:
    """Send one frame that holds `payload`, which is JSON text already."""
    channel.sendall(_LENGTH.pack(len(payload)) + payload)


def receive_frame(channel: socket.socket) -> Any:
    """The next frame's value; raises EOFError when the other side is gone."""
    (length,) = _LENGTH.unpack(_receive_exactly(channel, _LENGTH.size))
    return json.loads(_receive_exactly(channel, length))


def _receive_exactly(channel: socket.socket, count: int) -> bytes:
    buffer = bytearray()
    while len(buffer) < count:
        try:
            piece = channel.recv(min(count - len(buffer), 1 << 20))
        except ConnectionError as error:
            raise EOFError from error
        if not piece:
            raise EOFError
        buffer += piece
    return bytes(buffer)
