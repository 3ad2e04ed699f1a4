"""What the routes for uploads in parts are asked and answer. Some names are not Kinora's but those of S3 and of Uppy."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field, model_validator

from kinora.storage.multipart import MAX_PARTS, Part


class GrantRequest(BaseModel):
    folder: str = Field(description="Below the upload prefix, such as users/42", min_length=1, max_length=500)


class Grant(BaseModel):
    folder: str = Field(description="Where the uploads will lie")
    endpoint: str = Field(description="`companionEndpoint` of Uppy's AWS S3 plugin")
    expires: int = Field(description="Valid for so many seconds")


class NewUpload(BaseModel):
    """What Uppy says besides (`type`, `metadata`) is not used: types are found by looking at the bytes."""

    filename: str | None = Field(None, description="Name of the file; its key will be like it but unique", max_length=1024)
    key: str | None = Field(None, description="The key that the original is to have", max_length=1024)
    replace: bool = Field(False, description="Whether an original with this key may be replaced")
    size: int | None = Field(None, description="Bytes of the file, to hear at once that they are too many", ge=0)
    encrypt: bool = Field(False, description="Whether its stream shall be encrypted")
    checksums: bool = Field(False, description="Whether each part declares its SHA-256, which is verified")

    @model_validator(mode="after")
    def _has_one_name(self) -> Self:
        if bool(self.filename) == bool(self.key):
            raise ValueError("either filename or key is needed")
        return self


class StartedUpload(BaseModel):
    key: str
    uploadId: str  # noqa: N815 Uppy's name


class PartView(BaseModel):
    PartNumber: int
    ETag: str = Field(description="With quotation marks, as S3 has it")
    Size: int
    ChecksumSHA256: str | None = Field(None, description="Hex, if one was declared")

    @classmethod
    def of(cls, part: Part) -> Self:
        return cls(PartNumber=part.number, ETag=f'"{part.etag}"', Size=part.size, ChecksumSHA256=part.sha256)


class PartTarget(BaseModel):
    method: str = "PUT"
    url: str
    headers: dict[str, str] = Field(description="Headers to send with the part")
    expires: int = Field(description="Valid for so many seconds")


class PartTargets(BaseModel):
    presignedUrls: dict[str, str]  # noqa: N815 Uppy's name


class FormTarget(BaseModel):
    method: str = "POST"
    url: str
    fields: dict[str, str] = Field(description="Fields of the form, to be followed by the field `file`")
    expires: int = Field(description="Valid for so many seconds")


class UploadedPart(BaseModel):
    PartNumber: int = Field(ge=1, le=MAX_PARTS)
    ETag: str = Field(max_length=200)


class UploadedParts(BaseModel):
    parts: list[UploadedPart] = Field(min_length=1, max_length=MAX_PARTS)
    replace: bool = Field(False, description="Whether an original with this key may be replaced")


class CompletedUpload(BaseModel):
    location: str = Field(description="Signed address of the original, valid for a limited time")
    key: str
    etag: str
    size: int
