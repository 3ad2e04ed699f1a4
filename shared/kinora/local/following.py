"""Follows an upload until its job has ended: from the file, through the event and its invocation, to the job's last state.

Reads the database only, so it works in any process; used by `put` and `up`.
"""

from __future__ import annotations

import time
from pathlib import Path

from kinora.database import Database
from kinora.errors import InvalidInput
from kinora.local.invocations import Invocations
from kinora.local.known_files import KnownFiles
from kinora.local.source_folder import signature_of
from kinora.local.uploading import Upload, announce_again
from kinora.media.subtitle_file import SUBTITLE_TYPES
from kinora.model import UNHASHED, Job, JobState, Scope
from kinora.pipeline.sidecar_files import media_beside
from kinora.pipeline.start import retry
from kinora.services import Services

_LOST_SECONDS = 5.0


class Following:
    """One upload. `look` is asked again and again until the job it returns is final, or `is_lost`."""

    def __init__(self, services: Services, tables: Database, upload: Upload) -> None:
        self.upload = upload
        self._services = services
        self._known = KnownFiles(tables, ())
        self._invocations = Invocations(tables)
        self._path = Path(services.settings.scopes[Scope.SOURCE].root) / upload.key
        self._begun = services.clock()
        self._again = upload.reused
        self._settled_at: float | None = None

    def look(self) -> Job | None:
        """The job as it is now; None while the ingest function has not ended with the file, or where it made no job."""
        if not self._is_settled():
            return None
        job = self._job()
        if self._again and (job is None or not self._is_attached()):
            self._again = False
            self._settled_at = None
            announce_again(self._services, self.upload)
            return None
        return self._tried_again(job) if job is not None else None

    @property
    def is_lost(self) -> bool:
        """The event was given up or the file went away, and there is no job that could tell why."""
        return self._settled_at is not None and time.monotonic() - self._settled_at > _LOST_SECONDS and self._job() is None

    def are_subtitles(self) -> bool:
        """Whether the file was taken in as subtitles, which have no job, and the media beside it, if there are any, know it."""
        blob = self._services.catalog.blob(self.upload.hash)
        if self._settled_at is None or blob is None or blob.media_type not in SUBTITLE_TYPES or not self._is_attached():
            return False
        catalog, key = self._services.catalog, self.upload.key
        known = [any(row.source == key for row in catalog.sidecars(media)) for media in media_beside(self._services, key)]
        return all(known) or time.monotonic() - self._settled_at > _LOST_SECONDS  # media may have no job any more

    def _is_settled(self) -> bool:
        """Whether the file as it lies there now was told about, and the function has ended with it."""
        signature = signature_of(self._path)
        if self._known.signature(self.upload.key) != signature or self._invocations.waiting(self.upload.key):
            self._settled_at = None
            return False
        self._settled_at = self._settled_at or time.monotonic()
        return True

    def _is_attached(self) -> bool:
        original = self._services.catalog.original(self.upload.key)
        return original is not None and not original.removed and original.hash == self.upload.hash

    def _job(self) -> Job | None:
        jobs = self._services.jobs
        for job in jobs.list(content_hash=self.upload.hash, limit=1).items:
            return job
        refused = jobs.list(content_hash=UNHASHED).items
        return next((job for job in refused if job.original_key == self.upload.key), None)

    def _tried_again(self, job: Job) -> Job:
        """Putting a file again whose job had failed before is asking for another try."""
        if job.state in {JobState.FAILED, JobState.CANCELED} and job.updated_at < self._begun:
            try:
                return retry(self._services, job.id)
            except InvalidInput:  # refused because of its content
                return job
        return job
