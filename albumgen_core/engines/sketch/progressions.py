"""Chord progressions by family of styles."""

from __future__ import annotations

from albumgen_core.attributes.predicted import Mode

PROGRESSIONS: dict[str, dict[Mode, tuple[str, ...]]] = {
    "pop": {
        "major": ("I V vi IV", "I vi IV V", "I IV vi V", "I iii IV V", "I IV ii V", "I Vsus4 IV I"),
        "minor": ("i VI III VII", "i iv VI V", "i VII VI VII", "i VI iv V", "i v VI VII", "i iv i V"),
    },
    "rock": {
        "major": ("I bVII IV I", "I IV V IV", "I V IV I", "I IV I V", "I vi IV V", "I iii IV I"),
        "minor": ("i VII VI VII", "i iv i VII", "i VI VII i", "i III VII i", "i VI iv V"),
    },
    "metal": {
        "major": ("I5 bVII5 IV5 I5", "I5 V5 IV5 I5", "I5 IV5 bVII5 I5"),
        "minor": ("i5 VI5 VII5 i5", "i5 bII5 i5 VII5", "i5 iv5 VI5 V5", "i5 i5 VI5 VII5", "i5 VII5 iv5 i5"),
    },
    "jazz": {
        "major": ("Imaj7 vi7 ii7 V7", "Imaj7 IVmaj7 ii7 V7", "Imaj9 iii7 ii7 V9", "I6 vi7 ii9 V7"),
        "minor": ("i7 iv7 iim7b5 V7", "i6 VImaj7 iim7b5 V7", "i9 iv7 i9 V7", "i7 VI7 V7 i6"),
    },
    "blues": {
        "major": ("I7 IV7 I7 V7", "I7 I7 IV7 I7", "I7 V7 IV7 I7"),
        "minor": ("i7 iv7 i7 V7", "i7 i7 iv7 i7", "i7 VI7 V7 i7"),
    },
    "soul": {
        "major": ("Imaj7 IVmaj7 Imaj7 V7sus4", "I vi7 ii7 V7", "Imaj7 iii7 IVmaj7 V7", "Imaj9 vi7 IVmaj7 V"),
        "minor": ("i7 iv7 i7 v7", "i9 VImaj7 iv7 V7", "i7 VII VImaj7 V7", "i9 iv9 i9 VII"),
    },
    "country": {
        "major": ("I IV V I", "I I IV V", "I V IV I", "I IV I V7", "I vi IV V"),
        "minor": ("i VII VI V", "i iv V i", "i iv i VII"),
    },
    "folk": {
        "major": ("I V vi IV", "I IV I V", "I iii IV I", "I ii IV I", "I Vsus4 IVadd9 I"),
        "minor": ("i VII i v", "i III VII i", "i VI VII i", "i iv VII i"),
    },
    "classical": {
        "major": ("I IV V7 I", "I vi ii V7", "I ii V7 I", "I V vi V", "I IV ii V"),
        "minor": ("i iv V7 i", "i VI iv V7", "i V7 i iv", "i iim7b5 V7 i"),
    },
    "dance": {
        "major": ("I V vi IV", "I IV vi V", "Iadd9 IV Iadd9 V", "I iii vi IV"),
        "minor": ("i VI III VII", "i iv VI VII", "i v VI iv", "i i VI VII", "i7 iv7 i7 v7"),
    },
    "ambient": {
        "major": ("Imaj7 IVmaj7 Imaj7 vi7", "Iadd9 vi7 IVmaj7 Isus2", "Isus2 V Iadd9 IV"),
        "minor": ("iadd9 VImaj7 iadd9 iv7", "i9 v7 VImaj7 i9", "isus2 iv i9 VII"),
    },
    "hiphop": {
        "major": ("Imaj7 vi7 ii7 Imaj7", "I IV I V", "Imaj7 Imaj7 IVmaj7 V7"),
        "minor": ("i i VI V", "i VI iv i", "i7 iv7 i7 VII", "i i iv VI"),
    },
    "latin": {
        "major": ("I IV V IV", "I vi7 ii7 V7", "I IV I V7"),
        "minor": ("i iv V7 i", "i VII VI V", "i iv i V7"),
    },
    "reggae": {
        "major": ("I IV I V", "I V vi IV", "I ii I V", "I IV V IV"),
        "minor": ("i iv i VII", "i VII i VII", "i VI VII i"),
    },
}
"""Four chords each, one a bar, in the numerals of `harmony.read_chord`."""
