"""The MIDI of a clip, read by another program: mido and pretty_midi."""

from __future__ import annotations

import io

import mido
import numpy as np
import pretty_midi
import pytest

from albumgen_core.engines.base import ComposeRequest
from albumgen_core.engines.sketch.composer import SketchComposer
from albumgen_core.engines.sketch.midi import Track, write_midi
from tests.albumgen_core.engines.sketch.pictures import attributes


def test_notes_controllers_and_bends_are_read_as_they_were_written() -> None:
    track = Track(
        "bass",
        2,
        33,
        [(0.5, 1.5, 40, 90), (2.0, 2.25, 43, 64)],
        controls=[(1.0, 11, 80)],
        bends=[(1.25, 3.0)],
    )
    read = mido.MidiFile(file=io.BytesIO(write_midi([track], 90.0, 3, 8.0)))
    assert read.length == pytest.approx(8 * 60 / 90, abs=1e-3)
    head = {message.type: message for message in read.tracks[0]}
    assert mido.tempo2bpm(head["set_tempo"].tempo) == pytest.approx(90.0, abs=0.01)
    assert head["time_signature"].numerator == 3
    events, at = [], 0
    for message in read.tracks[1]:
        at += message.time
        events.append((at / read.ticks_per_beat, message))
    on = [(beat, m.note, m.velocity, m.channel) for beat, m in events if m.type == "note_on"]
    assert on == [(0.5, 40, 90, 2), (2.0, 43, 64, 2)]
    assert [(b, m.control, m.value) for b, m in events if m.type == "control_change"][-1] == (1.0, 11, 80)
    bend = next(m for _, m in events if m.type == "pitchwheel")
    assert bend.pitch / 8192 * 12 == pytest.approx(3.0, abs=0.01)


def test_a_note_struck_again_ends_first() -> None:
    data = write_midi([Track("x", 0, 0, [(0.0, 4.0, 60, 90), (1.0, 2.0, 60, 80)])], 60.0, 4, 4.0)
    notes = pretty_midi.PrettyMIDI(io.BytesIO(data)).instruments[0].notes
    assert [(round(n.start, 2), round(n.end, 2)) for n in notes] == [(0.0, 1.0), (1.0, 2.0)]


def test_the_midi_of_a_clip_has_its_players_key_and_length() -> None:
    wanted = attributes(key="D", mode="major", tempo=100.0)
    clip = SketchComposer().compose([ComposeRequest("", wanted, 12.0, 3)])[0]
    assert clip is not None
    assert clip.midi is not None
    read = pretty_midi.PrettyMIDI(io.BytesIO(clip.midi))
    assert {instrument.name for instrument in read.instruments} >= {"lead", "chords", "bass", "drums"}
    assert read.get_tempo_changes()[1][0] == pytest.approx(100.0, abs=0.01)
    assert read.get_end_time() == pytest.approx(12.0, abs=1.0)
    chroma = read.get_pitch_class_histogram(use_duration=True)
    scale = {(2 + step) % 12 for step in (0, 2, 4, 5, 7, 9, 11)}
    assert sum(chroma[c] for c in scale) > 0.85


def test_stems_are_the_mix_taken_apart() -> None:
    clip = SketchComposer().compose([ComposeRequest("", attributes(), 6.0, 3, stems=True)])[0]
    assert clip is not None
    assert set(clip.stems) == {"drums", "bass", "chords", "lead"}
    assert all(stem.shape == clip.samples.shape for stem in clip.stems.values())
    assert all(np.sqrt(np.mean(np.square(stem))) > 1e-3 for stem in clip.stems.values())
    together = sum(clip.stems.values())
    middle = slice(48_000, 4 * 48_000)
    # The bus's equaliser and room change the sum, but it stays the same music.
    assert np.corrcoef(together[0, middle], clip.samples[0, middle])[0, 1] > 0.6
