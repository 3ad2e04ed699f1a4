"""What every driver of the metadata protocols does with sidecars."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kinora.errors import NotFound, StaleState
from kinora.model import Sidecar
from tests.contract.metadata_records import Metadata, blob, hash_of, original


def sidecar(identifier: str, content: str = "a") -> Sidecar:
    track = f"subtitles/{identifier}"
    return Sidecar(identifier, hash_of(content), track, "pt-BR", "é", True, False, "captions", 10.5, "uploads/é.srt", "e1")


class SidecarsSuite:
    """Sidecars, replaced only by who knows their revision."""

    @pytest.fixture
    def known(self, metadata: Metadata) -> Metadata:
        metadata.catalog.attach(original("k", "a", "0A"), blob("a"))
        return metadata

    def test_they_are_stored_whole_and_ordered(self, known: Metadata) -> None:
        two, one = (known.catalog.save_sidecar(sidecar(name)) for name in ("2", "1"))
        assert one == replace(sidecar("1"), revision=1)
        assert known.catalog.sidecars(hash_of("a")) == (one, two)
        gone = known.catalog.save_sidecar(replace(one, removed=True, etag=""))
        assert known.catalog.sidecars(hash_of("a")) == (replace(one, removed=True, etag="", revision=2), two)
        assert gone.revision == 2
        assert known.catalog.sidecars(hash_of("b")) == ()

    def test_only_who_knows_the_revision_changes_it(self, known: Metadata) -> None:
        saved = known.catalog.save_sidecar(sidecar("1"))
        with pytest.raises(StaleState):
            known.catalog.save_sidecar(sidecar("1"))
        known.catalog.save_sidecar(replace(saved, etag="e2"))
        with pytest.raises(StaleState):
            known.catalog.save_sidecar(replace(saved, etag="e3"))
        assert [one.etag for one in known.catalog.sidecars(hash_of("a"))] == ["e2"]

    def test_they_go_with_their_blob(self, known: Metadata) -> None:
        catalog = known.catalog
        saved = catalog.save_sidecar(sidecar("1"))
        with pytest.raises(NotFound):
            catalog.save_sidecar(sidecar("1", "b"))
        catalog.release(hash_of("a"), 200.0)
        catalog.condemn(hash_of("a"), 1e9, 300.0)
        for one in (saved, sidecar("2")):
            with pytest.raises(StaleState):
                catalog.save_sidecar(one)
        catalog.forget(hash_of("a"))
        assert catalog.sidecars(hash_of("a")) == ()
        with pytest.raises(NotFound):
            catalog.save_sidecar(saved)
