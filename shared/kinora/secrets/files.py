"""Secrets as files of mode 0600 in DATA/secrets, made at first use. Built by bootstrap in local mode; never prints one."""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kinora.content_keys import new_kek
from kinora.errors import NotFound, Unavailable
from kinora.secrets.base import SecretName

_MAX_BYTES = 65536


class FileSecrets:
    """Implements `secrets.base.Secrets`; `data` is the folder of everything that local mode keeps."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "secrets"

    def get(self, name: SecretName) -> str:
        """The secret's text. Raises NotFound if there is none, Unavailable if others could read it or it is empty."""
        path = self._folder / name.value
        try:
            with path.open("rb") as file:
                _refuse_readable_by_others(path, os.fstat(file.fileno()).st_mode)
                text = file.read(_MAX_BYTES).decode().strip()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(f"there is no secret {path}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(f"the secret {path} cannot be read: {error}") from error
        if not text:
            raise Unavailable(f"the secret {path} is empty; remove it to have a new one made")
        return text

    def forget(self, name: SecretName) -> None:
        """Nothing is kept: every `get` reads the file."""

    def ensure(self, name: SecretName) -> tuple[str, bool]:
        """The secret's text and whether this call made it. Of many calls at once, one makes it and all return it.

        Raises Unavailable as `get` does, and where it cannot be stored.
        """
        try:
            with self._locked():
                return self._get_or_create(name)
        except OSError as error:
            raise Unavailable(f"the secrets in {self._folder} cannot be stored: {error}") from error

    def change(self, name: SecretName, change: Callable[[str], str]) -> str:
        """One after the other; a secret that is not there yet is made first. Readers see the old text or the new one."""
        try:
            with self._locked():
                text = change(self._get_or_create(name)[0])
                self._store(name, text)
                return text
        except OSError as error:
            raise Unavailable(f"the secrets in {self._folder} cannot be stored: {error}") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _get_or_create(self, name: SecretName) -> tuple[str, bool]:
        try:
            return self.get(name), False
        except NotFound:
            text = _fresh(name)
        self._store(name, text)
        return text, True

    def _store(self, name: SecretName, text: str) -> None:
        # Always the same name, so that what a killed process left is overwritten by the next one; the lock keeps others out.
        draft = self._folder / f".{name.value}.new"
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(descriptor)
        draft.replace(self._folder / name.value)


def _refuse_readable_by_others(path: Path, mode: int) -> None:
    if stat.S_IMODE(mode) & 0o077:
        raise Unavailable(f"the secret {path} has mode {stat.S_IMODE(mode):04o}, so others may know it; use chmod 600")


def _fresh(name: SecretName) -> str:
    if name is SecretName.API_KEY:
        return f"kin_{secrets.token_urlsafe(32)}"
    if name is SecretName.KEY_ENCRYPTION_KEYS:
        return new_kek("v1")
    if name is SecretName.WEBHOOK_KEY:
        return secrets.token_urlsafe(32)
    return f"k1:{base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip('=')}"
