"""Work on content: jobs, their stages and segments, failures, and the events that tell of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kinora.model.content import Kind


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something ended badly: a stable code and a sentence that anyone may read."""

    code: str
    message: str


class JobState(StrEnum):
    QUEUED = "queued"
    PREPARING = "preparing"
    PLAYABLE = "playable"
    ENCODING = "encoding"
    READY = "ready"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        return self in {JobState.READY, JobState.FAILED, JobState.CANCELED}


class StageName(StrEnum):
    HASH = "hash"
    PROBE = "probe"
    PLAN = "plan"
    IMAGE = "image"
    POSTER = "poster"
    PREVIEW = "preview"
    STORYBOARD = "storyboard"
    WAVEFORM = "waveform"
    SUBTITLES = "subtitles"
    AUDIO = "audio"
    VIDEO = "video"


class StageState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Stage:
    state: StageState = StageState.PENDING
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """All work for one blob under one recipe.

    `version` grows with every change and is the condition of the next one. `segments_planned` and `segments_done`
    are per stage (`audio`, `video`); `segments_done` is a cache of the segment rows and only `Jobs.mark_segments` moves it.
    `repairs` counts how often the job's tasks were lost and sent again with nothing done in between.
    """

    id: str
    hash: str
    kind: Kind
    recipe: str
    created_at: float
    updated_at: float
    state: JobState = JobState.QUEUED
    stages: Mapping[StageName, Stage] = field(default_factory=dict)
    segments_planned: Mapping[StageName, int] = field(default_factory=dict)
    segments_done: Mapping[StageName, int] = field(default_factory=dict)
    error: Failure | None = None
    original_key: str = ""
    playable_at: float | None = None
    ready_at: float | None = None
    version: int = 0
    repairs: int = 0

    @property
    def is_at_rest(self) -> bool:
        """Playable, with nothing left to do but segments that are made when somebody asks for them."""
        segments = {self.stages.get(name, Stage()).state for name in self.segments_planned}
        others = {stage.state for name, stage in self.stages.items() if name not in self.segments_planned}
        has_all = all(self.segments_done.get(name, 0) >= planned for name, planned in self.segments_planned.items())
        is_waiting = StageState.PENDING in segments and StageState.RUNNING not in segments and not has_all
        return self.state is JobState.PLAYABLE and is_waiting and not others & {StageState.PENDING, StageState.RUNNING}

    @property
    def progress(self) -> float:
        """Segments done ÷ segments planned, from 0 to 1; a job without segments is 1 when ready, else 0."""
        planned = sum(self.segments_planned.values())
        if planned == 0:
            return 1.0 if self.state is JobState.READY else 0.0
        return sum(self.segments_done.values()) / planned


@dataclass(frozen=True, slots=True)
class SegmentId:
    """One segment of one track; `track` is `video/{rendition}` or `audio/{track}`."""

    track: str
    n: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened and is committed, for subscribers. `data` is JSON-compatible."""

    id: str
    type: str
    time: float
    data: Mapping[str, object]
