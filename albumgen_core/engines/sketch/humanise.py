"""How players stray from the written time and force: slowly, together with themselves, each in a manner."""

from __future__ import annotations

import math
from functools import lru_cache

from albumgen_core.engines.sketch.brief import Brief
from albumgen_core.engines.sketch.grooves import CLAP, SNARE, STICK
from albumgen_core.engines.sketch.score import Note, Role, dice

_MACHINES = {"house", "techno", "trance", "synthpop", "trap", "reggaeton"}
"""Styles whose drums are programmed: they keep a third of the deviations."""

_DRIFT_MS: dict[Role, float] = {
    "lead": 9.0, "voice": 9.0, "chords": 7.0, "pad": 4.0, "arpeggio": 4.0, "bass": 5.0, "drums": 4.0
}  # fmt: skip
"""Standard deviation of a player's slow drift. Deviations in performed grooves are of this size, and
correlated over several beats (Hennig et al., PLoS ONE 6(10), 2011)."""


def drift(brief: Brief, role: Role, kind: str, beat: float, period: float = 4.0) -> float:
    """A smooth random curve over the beats, N(0, 1) at its nodes, the same however long the piece is."""
    node = math.floor(beat / period)
    share = beat / period - node
    before, after = (_node(brief.entropy, role, kind, node + i) for i in (0, 1))
    blend = 0.5 - 0.5 * math.cos(math.pi * share)
    return before * (1 - blend) + after * blend


@lru_cache(maxsize=4096)
def _node(entropy: str, role: Role, kind: str, node: int) -> float:
    return dice(entropy, "drift", role, kind, node).gauss(0.0, 1.0)


def delay(brief: Brief, role: Role, note: Note) -> float:
    """Seconds by which a note comes late (early where negative)."""
    if note.start == 0:
        return 0.0
    a = brief.attributes
    size = _DRIFT_MS[role] * (0.7 + 0.8 * a.liveness - 0.3 * a.danceability) * brief.looseness
    if brief.style_name in _MACHINES:
        size *= 1 / 3
    own = brief.dice("touch", role, round(note.start * 48), note.pitch).gauss(0.0, 0.35)
    late = size * (drift(brief, role, "time", note.start) + own)
    if (role == "drums" and note.pitch in (SNARE, STICK, CLAP)) or role == "lead":
        late += brief.style.laid_back
    return max(-0.03, min(0.045, late / 1000))


def force(brief: Brief, role: Role, note: Note) -> int:
    """The note's velocity as it is played: within about 8 % of what is written, drifting over two bars."""
    size = 0.045 * brief.looseness * (1 / 3 if brief.style_name in _MACHINES and role == "drums" else 1.0)
    swing = size * (
        drift(brief, role, "force", note.start, 8.0) + 0.5 * drift(brief, role, "hand", note.start, 1.0)
    )
    return max(24, min(127, round(note.velocity * (1 + max(-0.15, min(0.15, swing))))))
