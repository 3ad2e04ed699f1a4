"""What `/api` answers, as pydantic models, and how they are made from Kinora's records. Times are seconds since the epoch."""

from __future__ import annotations

from pydantic import BaseModel, Field

from kinora.api.links import Links
from kinora.model import Blob, Derivative, Export, Failure, Job, Original
from kinora.object_keys import video_folder


class FailureView(BaseModel):
    code: str = Field(description="Stable and machine-readable")
    message: str = Field(description="A sentence for people")


class StageView(BaseModel):
    state: str
    error: FailureView | None = None
    done: int | None = Field(None, description="Segments done, for stages that make segments")
    planned: int | None = Field(None, description="Segments planned")


class JobView(BaseModel):
    id: str
    hash: str
    kind: str
    state: str
    progress: float = Field(description="Segments done ÷ segments planned, 0 to 1")
    stages: dict[str, StageView]
    error: FailureView | None = None
    original: str = Field(description="Key of the original that started the job")
    created_at: float
    updated_at: float
    playable_at: float | None = None
    ready_at: float | None = None
    media_url: str


class JobPage(BaseModel):
    jobs: list[JobView]
    cursor: str | None = Field(None, description="Pass it on to get the next page; null on the last one")


class OriginalView(BaseModel):
    key: str
    size: int
    url: str = Field(description="Signed, valid for a limited time")


class DerivativeView(BaseModel):
    name: str
    media_type: str
    size: int
    width: int | None = None
    height: int | None = None
    duration: float | None = Field(None, description="Seconds")
    url: str


class SubtitleView(BaseModel):
    language: str = Field(description="BCP 47, or `und`")
    name: str
    default: bool
    forced: bool = Field(description="Texts that belong to the picture")
    captions: bool = Field(description="For those who hear nothing")
    origin: str = Field(description="`api`: handed in; `file`: beside an original; `original`: inside it")
    file: str | None = Field(description="Key of the file")
    url: str = Field(description="The WebVTT")


class SubtitleList(BaseModel):
    subtitles: list[SubtitleView]


class ExportView(BaseModel):
    name: str = Field(description="Of the derivative that it becomes")
    state: str = Field(description="`pending` or `failed`; one that is ready is a derivative")
    error: FailureView | None
    requested_at: float
    updated_at: float


class MediaSummary(BaseModel):
    hash: str
    size: int
    media_type: str
    kind: str
    created_at: float
    url: str
    stream_url: str | None = Field(None, description="The multivariant playlist, once the media can be played")
    thumbnail_url: str | None = None
    preview_url: str | None = Field(None, description="The animated WebP")
    originals: list[str]


class MediaPage(BaseModel):
    media: list[MediaSummary]
    cursor: str | None = None


class MediaView(BaseModel):
    hash: str
    size: int
    media_type: str
    kind: str
    state: str
    created_at: float
    stream_url: str | None = None
    originals: list[OriginalView]
    derivatives: list[DerivativeView]
    subtitles: list[SubtitleView]
    exports: list[ExportView] = Field(description="What was asked for and is not there")
    jobs: list[JobView]


class RemovalView(BaseModel):
    hash: str
    complete: bool = Field(description="False: something is left; ask again")
    originals_deleted: list[str]
    originals_kept: list[str]


class UploadRequest(BaseModel):
    key: str = Field(description="Name below the upload prefix, such as holiday/cat.mov", min_length=1, max_length=900)
    replace: bool = Field(False, description="Whether an original with this key may be replaced")
    sha256: str | None = Field(None, description="Hex SHA-256 of the file, which is verified", pattern="^[0-9a-f]{64}$")
    encrypt: bool = Field(False, description="Whether its stream shall be encrypted")


class UploadTarget(BaseModel):
    key: str = Field(description="The original's key")
    method: str
    url: str = Field(description="Where to send the bytes")
    headers: dict[str, str] = Field(description="Headers to send with them")
    needs_api_key: bool = Field(description="Whether the request to `url` carries the API key")


class UploadView(BaseModel):
    key: str
    size: int
    etag: str


def view_failure(failure: Failure | None) -> FailureView | None:
    return FailureView(code=failure.code, message=failure.message) if failure else None


def view_job(job: Job, links: Links) -> JobView:
    stages = {
        name.value: StageView(
            state=stage.state.value,
            error=view_failure(stage.error),
            done=job.segments_done.get(name, 0) if name in job.segments_planned else None,
            planned=job.segments_planned.get(name),
        )
        for name, stage in job.stages.items()
    }
    return JobView(
        id=job.id,
        hash=job.hash,
        kind=job.kind.value,
        state=job.state.value,
        progress=job.progress,
        stages=stages,
        error=view_failure(job.error),
        original=job.original_key,
        created_at=job.created_at,
        updated_at=job.updated_at,
        playable_at=job.playable_at,
        ready_at=job.ready_at,
        media_url=links.media(job.hash),
    )


def view_original(original: Original, links: Links) -> OriginalView:
    return OriginalView(key=original.key, size=original.size, url=links.original(original.key))


def view_derivative(one: Derivative, links: Links) -> DerivativeView:
    folder = video_folder(one.hash)
    url = links.stream(one.hash, one.key.removeprefix(folder)) if one.key.startswith(folder) else links.thumb(one.key)
    return DerivativeView(
        name=one.name,
        media_type=one.media_type,
        size=one.size,
        width=one.width,
        height=one.height,
        duration=one.duration,
        url=url,
    )


def view_export(one: Export) -> ExportView:
    return ExportView(
        name=one.name,
        state=one.state.value,
        error=view_failure(one.error),
        requested_at=one.created_at,
        updated_at=one.updated_at,
    )


def view_summary(
    blob: Blob, derivatives: tuple[Derivative, ...], originals: tuple[Original, ...], links: Links
) -> MediaSummary:
    pictures = sorted((one for one in derivatives if one.name.startswith("image/")), key=lambda one: one.width or 0)
    return MediaSummary(
        hash=blob.hash,
        size=blob.size,
        media_type=blob.media_type,
        kind=blob.kind.value,
        created_at=blob.created_at,
        url=links.media(blob.hash),
        stream_url=stream_url(derivatives, links),
        thumbnail_url=links.thumb(pictures[0].key) if pictures else None,
        preview_url=next((view_derivative(one, links).url for one in derivatives if one.name == "preview.webp"), None),
        originals=[one.key for one in originals],
    )


def stream_url(derivatives: tuple[Derivative, ...], links: Links) -> str | None:
    return next((links.stream(one.hash, "master.m3u8") for one in derivatives if one.name == "stream"), None)
