"""When is a tempo right, and a key? By the rules of MIREX, the field's yearly comparison."""

from __future__ import annotations

from albumgen_core.attributes.fields import KEYS

TEMPO_TOLERANCE = 0.04
"""Gouyon et al., "An experimental comparison of audio tempo induction algorithms", IEEE TASLP 14(5), 2006."""

OCTAVES = (1.0, 2.0, 0.5, 3.0, 1 / 3)
"""Multiples that count as the same beat felt at another level (their "Accuracy 2")."""

SAME, FIFTH, RELATIVE, PARALLEL = 1.0, 0.5, 0.3, 0.2
"""Credit for keys, as MIREX's audio key detection gives it."""


def tempo_matches(found: float, truth: float) -> bool:
    """Whether a tempo lies within 4 % of the true one ("Accuracy 1")."""
    return abs(found / truth - 1) <= TEMPO_TOLERANCE


def tempo_matches_octave(found: float, truth: float) -> bool:
    """Whether it lies within 4 % of the true tempo, its double, half, triple or third ("Accuracy 2")."""
    return any(tempo_matches(found, truth * multiple) for multiple in OCTAVES)


def key_credit(key: str, mode: str | None, true_key: str, true_mode: str | None) -> float:
    """MIREX's weighted score of a key: 1 same, .5 a fifth off, .3 relative, .2 parallel, else 0.

    Where one of the modes is not known, it counts as equal to the other; a relative key then cannot be told.
    """
    steps = (KEYS.index(key) - KEYS.index(true_key)) % 12
    if mode is None or true_mode is None or mode == true_mode:
        return SAME if steps == 0 else FIFTH if steps in (5, 7) else 0.0
    if steps == 0:
        return PARALLEL
    # A minor is three semitones below its relative, C major.
    return RELATIVE if steps == (9 if mode == "minor" else 3) else 0.0


def same_key(key: str, mode: str | None, true_key: str, true_mode: str | None) -> bool:
    """Whether tonic and, where both are known, mode agree."""
    return key_credit(key, mode, true_key, true_mode) == SAME
