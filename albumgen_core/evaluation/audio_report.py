"""An audio evaluation as a verdict, as JSON and as one page of HTML."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from albumgen_core.evaluation.audio import AudioEvaluation, Relation
from albumgen_core.evaluation.audio_plots import plot_relations, plot_tempo_and_keys
from albumgen_core.evaluation.intervals import Interval
from albumgen_core.evaluation.page import heading, json_ready, note, page, picture, table
from albumgen_core.version import __version__

HTML_NAME, JSON_NAME = "index.html", "audio.json"
TEMPO_PNG, RELATIONS_PNG = "tempo-and-keys.png", "relations.png"
QUANTITIES = {"loudness": "loudness", "onsets": "onset density", "brightness": "brightness"}


@dataclass(frozen=True, slots=True)
class Distance:
    """A Fréchet distance to reference music.

    Attributes:
        value: the distance, in the squared units of `embedding`.
        between_halves: that between two random halves of the reference.
        embedding: what it was measured in; distances in different ones cannot be compared.
        reference: how many sounds the reference has.
    """

    value: float
    between_halves: float
    embedding: str
    reference: int


def verdict(evaluation: AudioEvaluation, distance: Distance | None = None) -> list[str]:
    """What the figures say, in sentences."""
    kept = evaluation.kept
    octave, exact, key = kept["tempo, any octave"], kept["tempo"], kept["key"]
    sentences = [
        f"Of {len(evaluation.clips)} clips by {evaluation.composer}, {exact.share.mean:.0%} are heard within "
        f"4 % of the tempo asked for and {octave.share.mean:.0%} within 4 % of it or its double, half, "
        f"triple or third; held against other clips' requests, {exact.swapped:.0%} and "
        f"{octave.swapped:.0%} would be.",
        f"The key is heard as asked in {key.share.mean:.0%} (swapped: {key.swapped:.0%}); with credit for "
        f"neighbouring keys, {kept['key, weighted'].share.mean:.2f} (swapped: "
        f"{kept['key, weighted'].swapped:.2f}).",
    ]
    for holds, words in ((True, "These follow the request"), (False, "These cannot be said to")):
        found = [_words(one) for one in evaluation.relations if one.holds is holds]
        if found:
            sentences.append(f"{words}: {'; '.join(found)}.")
    sentences.append(
        f"Loudness as composed lies {abs(evaluation.loudness_offset):.1f} dB "
        f"{'above' if evaluation.loudness_offset > 0 else 'below'} the level asked for on average, and "
        f"{evaluation.loudness_error:.1f} dB away from it; clips are brought to one loudness afterwards."
    )
    if distance is not None:
        sentences.append(
            f"The Fréchet distance to {distance.reference} reference sounds is {distance.value:.1f} in "
            f"{distance.embedding} (between two halves of the reference: {distance.between_halves:.1f})."
        )
    return sentences


def as_json(
    evaluation: AudioEvaluation, distance: Distance | None = None, command: str = ""
) -> dict[str, Any]:
    """All figures, JSON-ready; what cannot be told is null."""
    found = {
        "albumgen": __version__,
        "command": command,
        "composer": evaluation.composer,
        "kept": {name: asdict(kept) for name, kept in evaluation.kept.items()},
        "relations": [asdict(relation) | {"holds": relation.holds} for relation in evaluation.relations],
        "loudness_error_db": evaluation.loudness_error,
        "loudness_offset_db": evaluation.loudness_offset,
        "frechet": None if distance is None else asdict(distance),
        "seconds_composed_in_a_second": evaluation.speed,
        "clips": [
            {
                "genre": clip.asked.album_genre,
                "metre": clip.asked.time_signature,
                "asked": {
                    name: getattr(clip.asked, name)
                    for name in ("tempo", "key", "mode", "loudness", "energy", "acousticness")
                },
                "heard": asdict(clip.heard),
            }
            for clip in evaluation.clips
        ],
    }
    return dict(json_ready(found, decimals=4))


def write_report(
    evaluation: AudioEvaluation, folder: Path, distance: Distance | None = None, command: str = ""
) -> list[str]:
    """Write index.html (pictures inside), audio.json and two PNGs; returns the verdict."""
    folder.mkdir(parents=True, exist_ok=True)
    tempo, relations = plot_tempo_and_keys(evaluation), plot_relations(evaluation)
    sentences = verdict(evaluation, distance)
    kept = [
        [name, f"{found.share.mean:.2f}", _span(found.share), f"{found.swapped:.2f}"]
        for name, found in evaluation.kept.items()
    ]
    related = [
        [_words(one, short=True), f"{one.rho.mean:+.2f}", _span(one.rho), "yes" if one.holds else "no"]
        for one in evaluation.relations
    ]
    body = [
        heading("Tempo and key"),
        picture(tempo, "Tempo asked for against tempo heard; shares of requests that were kept"),
        table(["", "share", "95 % interval", "swapped"], kept),
        note(
            "Tempo: librosa's autocorrelation of onset strength, at 4 % (Gouyon et al. 2006). Key: mean CQT "
            "chroma against Krumhansl and Kessler's profiles, weighted as in MIREX. Both err on real music "
            "too, so a miss can be the clip's or the measurement's. Swapped: every clip against all other "
            "clips' requests."
        ),
        heading("More of what was asked for"),
        picture(relations, "Scatter plots of what was asked against what was heard"),
        table(["", "Spearman's ρ", "95 % interval", "follows"], related),
        note(
            "Loudness in LUFS (ITU-R BS.1770-4) as composed; brightness is the mean spectral centroid. "
            "Intervals: bootstrap over clips."
        ),
    ]
    seconds = evaluation.clips[0].seconds
    subtitle = (
        f"{len(evaluation.clips)} clips of {seconds:.0f} seconds by {evaluation.composer}, composed "
        f"{evaluation.speed:.1f} times as fast as they play"
    )
    html = page("Does the clip do what was asked?", subtitle, sentences, body, command)
    (folder / HTML_NAME).write_text(html, encoding="utf-8")
    text = json.dumps(as_json(evaluation, distance, command), indent=1) + "\n"
    (folder / JSON_NAME).write_text(text, encoding="utf-8")
    (folder / TEMPO_PNG).write_bytes(tempo)
    (folder / RELATIONS_PNG).write_bytes(relations)
    return sentences


def _words(relation: Relation, *, short: bool = False) -> str:
    direction = "more" if relation.sign > 0 else "less"
    words = f"more {relation.asked} asked for, {direction} {QUANTITIES[relation.heard]}"
    return words if short else f"{words} (ρ {relation.rho.mean:+.2f})"


def _span(span: Interval) -> str:
    return f"{span.low:+.2f} to {span.high:+.2f}" if span.low < 0 else f"{span.low:.2f} to {span.high:.2f}"
