"""A data folder written by an earlier version opens with this one; see fixtures/data_folder_v1/make.py."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from albumgen_core.cover.read import load_checked_cover
from albumgen_core.engines.load import load_engine
from albumgen_core.engines.neural.musicgen.resume import TokenFile
from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.database import Database
from albumgen_core.inference.settings import ClientSettings
from albumgen_core.jobs.layout import checkpoint_path
from albumgen_core.result import is_whole, read_document, read_tokens
from albumgen_core.retrieval import AlbumIndex
from albumgen_core.settings import EngineSettings
from bot.bot import MIGRATIONS
from bot.messages.message_log import MessageLog
from bot.sessions.state.model import EntryState, SessionState
from bot.sessions.state.store import SessionStore

FIXTURE = Path(__file__).parent / "fixtures" / "data_folder_v1" / "data.zip"
DATA = Path("data")
STATES = ("delivered", "done", "failed", "cancelled", "queued", "running", "received", "with", "without")
JOBS = {state: f"{position:026x}" for position, state in enumerate(STATES, start=1)}
SESSION = "ab" * 16


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(FIXTURE) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "config.toml").write_text('data_dir = "data"\n', "utf-8")
    monkeypatch.delenv("ALBUMGEN_DATA_DIR")
    monkeypatch.chdir(tmp_path)


def settings() -> ClientSettings:
    return ClientSettings(
        data_dir=DATA,
        config=Path("config.toml"),
        migrations=(MIGRATIONS,),
        min_free_bytes=0,
        keep_received=True,
        keep_covers=None,
        keep_results=None,
        keep_rows=None,
    )


@pytest.mark.slow
async def test_jobs_keep_their_state_and_unfinished_ones_are_made() -> None:
    client = InferenceClient(settings())
    await client.start()
    try:
        states = {state: (await client.record(job)).state for state, job in JOBS.items()}
        assert {name: states[name] for name in STATES[:4]} == {name: name for name in STATES[:4]}
        assert [job.job_id for job in await client.unread()] == [JOBS["received"]]
        done = await client.record(JOBS["done"])
        assert (done.spec.seconds, done.spec.seed, done.spec.prompt_style) == (2.0, 7, "slides")
        assert done.spec.overrides == {"tempo": 90.0}
        assert done.spec.root_id == done.spec.parent_id == JOBS["delivered"]
        assert (done.spec.group, done.spec.member) == ("10", "30")
        assert done.spec.origin["channel_id"] == 20
        assert done.spec.origin["token"] == f"token-of-{JOBS['done']}"
        failed = await client.record(JOBS["failed"])
        assert failed.error == "The earlier clip is no longer kept, so it cannot be continued."
        for name in ("queued", "running", "with", "without"):
            outcome = await (await client.subscribe(JOBS[name])).result()
            assert is_whole(Path(str(outcome.result_dir)))
        owed = {(await client.outbox.next()).delivery_id for _ in range(await client.outbox.pending())}
        assert owed == {
            *(JOBS[name] for name in ("done", "failed", "cancelled", "queued", "running")),
            f"{99:026x}",
        }
    finally:
        await client.close()


async def test_sessions_and_messages() -> None:
    database = await Database.open(DATA, migrations=(MIGRATIONS,))
    try:
        store = SessionStore(database)
        session = await store.get(SESSION)
        assert session is not None
        assert (session.title, session.rounds, session.locale) == ("Friday covers", 2, "de")
        assert session.state is SessionState.RUNNING
        entry = (await store.entries(SESSION))[0]
        assert (entry.title, entry.state, entry.clips[0].seconds) == ("Low tide", EntryState.READY, 1.0)
        assert is_whole(Path(str(entry.clips[0].result_dir)))
        assert [(vote.score, vote.starred) for vote in await store.votes(SESSION)] == [(4, True)]
        message = await MessageLog(database).find(51)
        assert message is not None
        assert (message.job_id, message.channel_id) == (JOBS["delivered"], 20)
    finally:
        await database.close()


def test_index_answers() -> None:
    embedder = load_engine(EngineSettings()).engine.embedder
    index = AlbumIndex.open(DATA / "index", embedder_name=embedder.name)
    cover = load_checked_cover(DATA / "covers" / JOBS["delivered"])
    found = index.nearest(embedder.embed([cover])[0], 5)
    recorded = read_document(DATA / "results" / JOBS["delivered"])["neighbours"]
    assert [album.album.album_id for album in found] == [album["album_id"] for album in recorded]
    assert index.thumbnail(found[0].album.album_id)


def test_takes_and_checkpoints() -> None:
    folder = DATA / "results" / JOBS["done"]
    document = read_document(folder)
    assert (document["seed"], document["overridden"]) == (7, ["tempo"])
    assert read_tokens(folder) is None
    saved = TokenFile(checkpoint_path(DATA / "results", JOBS["running"]), "identity").load(4)
    assert saved is not None
    np.testing.assert_array_equal(saved, np.arange(400, dtype=np.int16).reshape(4, 100))
