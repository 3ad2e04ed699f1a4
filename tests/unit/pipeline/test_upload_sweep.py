"""Uploads in parts that nobody goes on with."""

from __future__ import annotations

import time

from kinora.model import Scope
from kinora.pipeline.sweep import sweep
from tests.house import HOUR, house

DAY = 86_400.0


def test_uploads_that_stand_still_are_forgotten_and_no_others(tmp_path):
    now = [time.time()]
    with house(tmp_path, clock=lambda: now[0], upload_days="2") as home:
        uploads = home.services.multipart
        old, complete = (uploads.create(Scope.SOURCE, key) for key in ("uploads/a.mov", "uploads/b.mov"))
        part = uploads.put_part(Scope.SOURCE, "uploads/b.mov", complete, 1, b"x")
        uploads.complete(Scope.SOURCE, "uploads/b.mov", complete, [(1, part.etag)], max_bytes=1)
        now[0] += 2 * DAY - 60
        assert sweep(home.services, lambda: HOUR)["uploads"] == 0
        assert [one.id for one in uploads.pending(Scope.SOURCE)] == [old]
        now[0] += 120
        assert sweep(home.services, lambda: HOUR)["uploads"] == 1
        assert list(uploads.pending(Scope.SOURCE)) == []
        assert [info.key for info in home.services.storage.list(Scope.SOURCE)] == ["uploads/b.mov"]
