"""The card: one picture that shows what was read from a cover, and why."""

from albumgen_core.card.comparison import render_comparison
from albumgen_core.card.content import CardContent
from albumgen_core.card.render import render_card

__all__ = ["CardContent", "render_card", "render_comparison"]
