"""MusicGen (Copet et al. 2023): a decoder of our own around the published weights."""

from albumgen_core.engines.neural.musicgen.load import load_composer

__all__ = ["load_composer"]
