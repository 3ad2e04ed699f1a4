"""The file in a form (`multipart/form-data`, RFC 7578), as it comes in: never held as a whole, never written down in between.

As in a POST to S3 the file is the last field and is called `file`; the fields before it are passed over.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from email.message import Message

from kinora.errors import InvalidInput

_MAX_HEADER_BYTES = 64 * 1024
_NAME = re.compile(rb"""^content-disposition:.*;\s*name="?([^";\r\n]*)""", re.IGNORECASE | re.MULTILINE)


def boundary_of(content_type: str | None) -> bytes:
    """The boundary that a form's Content-Type declares. Raises InvalidInput."""
    message = Message()
    message["Content-Type"] = content_type or ""
    boundary = message.get_param("boundary") if message.get_content_type() == "multipart/form-data" else None
    if not isinstance(boundary, str) or not 1 <= len(boundary) <= 70 or not boundary.isascii():
        raise InvalidInput(public_message="This is not a form (multipart/form-data) with a boundary.")
    return boundary.encode()


async def file_of_form(chunks: AsyncIterator[bytes], boundary: bytes) -> AsyncIterator[bytes]:
    """The bytes of the field `file`. Raises InvalidInput for a form without one, or one that breaks off."""
    delimiter = b"\r\n--" + boundary
    buffer = b"\r\n"  # what comes before the first delimiter, too
    passed = 0
    while True:
        head, rest = _field(buffer, delimiter)
        passed += len(buffer) - len(rest)
        if passed + (len(rest) if head is None else 0) > _MAX_HEADER_BYTES:
            raise InvalidInput(public_message="The form has no field 'file', or too much before it.")
        if _is_file(head):
            break
        buffer = rest if head is not None else buffer + await _more(chunks)
    while (end := rest.find(delimiter)) < 0:
        keep = len(delimiter) - 1
        if len(rest) > keep:
            yield rest[:-keep]
            rest = rest[-keep:]
        rest += await _more(chunks)
    if end:
        yield rest[:end]
    async for _ in chunks:
        pass


def _field(buffer: bytes, delimiter: bytes) -> tuple[bytes | None, bytes]:
    """The headers of the next field and what follows them; None while they are not all there."""
    start = buffer.find(delimiter)
    end = buffer.find(b"\r\n\r\n", start) if start >= 0 else -1
    return (buffer[start + len(delimiter) : end + 2], buffer[end + 4 :]) if end >= 0 else (None, buffer)


def _is_file(head: bytes | None) -> bool:
    match = _NAME.search(head) if head is not None else None
    return match is not None and match[1] == b"file"


async def _more(chunks: AsyncIterator[bytes]) -> bytes:
    try:
        return await anext(chunks)
    except StopAsyncIteration:
        raise InvalidInput(public_message="The form broke off, or has no field 'file'.") from None
