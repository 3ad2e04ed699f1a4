"""Ends what libvips is doing when its time is over, so that no picture keeps a viewer, or a worker, longer than that."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

from kinora.errors import CorruptMedia, LimitExceeded


class Deadline:
    """A context in which watched images are given up after `seconds`; leaving it raises LimitExceeded with the code
    `too-slow` then."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._is_over = False

    def watch(self, image: Any) -> Any:
        """`image`, and all that is made of it, computed no longer than until the deadline."""
        image.set_progress(True)
        image.signal_connect("eval", self._look)
        return image

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._is_over and (error is None or isinstance(error, CorruptMedia)):
            raise LimitExceeded(
                public_message=f"Making this picture takes longer than {self._seconds:g} seconds.", code="too-slow"
            ) from error

    def _look(self, image: Any, _progress: object) -> None:
        if time.monotonic() > self._end:
            self._is_over = True
            image.set_kill(True)
