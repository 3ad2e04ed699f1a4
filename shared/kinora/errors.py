"""Every error that Kinora raises on purpose, as one tree. Drivers translate their backend's errors into these.

KinoraError
├── InvalidInput 400            the caller sent something that can never work
│   ├── InvalidKey              an object key that is empty, too long or could leave its root
│   ├── InvalidEvent            an event or task that is not in the form its sender uses
│   └── InvalidSetting          a configuration variable with a value that cannot be used
├── Unauthorized 401            no or unknown credential
├── Forbidden 403               known or anonymous, but not allowed
│   └── SignatureInvalid 403
├── NotFound 404
├── AlreadyExists 409           a create met an existing object
├── StaleState 409              somebody else changed the row first; read again
├── SignatureExpired 410
├── PreconditionFailed 412      If-Match or a pinned ETag no longer holds
├── LimitExceeded 413           bytes, pixels or seconds above the setting
├── UnsupportedMedia 415        the content is of a type that Kinora does not process
├── RangeNotSatisfiable 416
├── CorruptMedia 422            the right type, but it cannot be decoded
├── ChecksumMismatch 422        declared and computed checksum differ
├── ContentKeyDamaged 500       a wrapped content key, or what it encrypted, is not what was stored
├── Gone 410                    what was there is over for good: a content key of an old revision
├── OriginalGone 404            the original was removed while work for it was under way
├── NoSpace 507                 the disk or quota is full (may pass: retryable)
├── Pending 503                 planned but not made yet; ask again soon
└── Unavailable 503             a dependency failed in a way that may pass (retryable)
"""

from __future__ import annotations


class KinoraError(Exception):
    """Base of all errors raised on purpose.

    `code` is stable and machine-readable, `status` is the HTTP status it maps to, `retryable` says whether the same
    call may succeed later, `public_message` is safe to show to anyone; the exception's own text is for the log.
    """

    code = "internal"
    status = 500
    retryable = False
    public_message = "Something went wrong inside Kinora."

    def __init__(self, message: str = "", *, public_message: str | None = None, code: str | None = None) -> None:
        super().__init__(message or public_message or self.public_message)
        if public_message is not None:
            self.public_message = public_message
        if code is not None:
            self.code = code


class InvalidInput(KinoraError):
    code, status = "invalid-input", 400
    public_message = "The request is not valid."


class InvalidKey(InvalidInput):
    code = "invalid-key"
    public_message = "The object key is not allowed."


class InvalidEvent(InvalidInput):
    code = "invalid-event"
    public_message = "The event is not in the expected form."


class InvalidSetting(InvalidInput):
    code = "invalid-setting"
    public_message = "The configuration is not valid."


class Unauthorized(KinoraError):
    code, status = "unauthorized", 401
    public_message = "A valid credential is needed."


class Forbidden(KinoraError):
    code, status = "forbidden", 403
    public_message = "This is not allowed."


class SignatureInvalid(Forbidden):
    code = "signature-invalid"
    public_message = "The signature is not valid."


class SignatureExpired(KinoraError):
    code, status = "signature-expired", 410
    public_message = "The link has expired."


class NotFound(KinoraError):
    code, status = "not-found", 404
    public_message = "There is nothing here."


class OriginalGone(NotFound):
    code = "original-gone"
    public_message = "The original was removed or replaced before its work was done."


class AlreadyExists(KinoraError):
    code, status = "already-exists", 409
    public_message = "It exists already."


class StaleState(KinoraError):
    code, status, retryable = "stale-state", 409, True
    public_message = "It was changed by somebody else at the same time."


class PreconditionFailed(KinoraError):
    code, status = "precondition-failed", 412
    public_message = "It is no longer in the expected state."


class LimitExceeded(KinoraError):
    code, status = "limit-exceeded", 413
    public_message = "It is larger than this installation allows."


class UnsupportedMedia(KinoraError):
    code, status = "unsupported-media", 415
    public_message = "The content is not of a type that Kinora processes."


class RangeNotSatisfiable(KinoraError):
    code, status = "range-not-satisfiable", 416
    public_message = "The requested range lies outside the object."

    def __init__(self, size: int) -> None:
        super().__init__(f"range outside an object of {size} bytes")
        self.size = size


class CorruptMedia(KinoraError):
    code, status = "corrupt-media", 422
    public_message = "The content is damaged and cannot be decoded."


class ChecksumMismatch(KinoraError):
    code, status = "checksum-mismatch", 422
    public_message = "The content does not match its declared checksum."


class NoSpace(KinoraError):
    code, status, retryable = "no-space", 507, True
    public_message = "There is no space left to store this."


class Unavailable(KinoraError):
    code, status, retryable = "unavailable", 503, True
    public_message = "A part that this needs is not available at the moment."


class Pending(Unavailable):
    code = "pending"
    public_message = "This is planned but not made yet; ask again in a moment."


class ContentKeyDamaged(KinoraError):
    code, status = "content-key-damaged", 500
    public_message = "The content key is damaged."


class Gone(KinoraError):
    code, status = "gone", 410
    public_message = "This is no longer available."
