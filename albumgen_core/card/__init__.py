"""The card: one picture that shows what was heard in a cover, and why."""

from albumgen_core.card.content import CardContent
from albumgen_core.card.render import render_card, render_comparison

__all__ = ["CardContent", "render_card", "render_comparison"]
