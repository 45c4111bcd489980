"""Charts for the recap page: inline SVG whose colours come from the page's style, light or dark.

Each chart carries its numbers as words for those who do not see it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

_RADIUS = 74.0
_CENTRE = (160.0, 112.0)
_CORE = 0.06  # share of the radius at value 0, so that a shape of zeros is still seen


def radar(shapes: Sequence[Sequence[float]], labels: Sequence[str], described: str) -> Markup:
    """The attributes as polygons.

    Args:
        shapes: at most two rows of values in [0, 1], one for each label. They get the classes s0 and s1.
        labels: names of the axes, clockwise from the top.
        described: what a screen reader says.
    """
    count = len(labels)
    parts = [f'<polygon class="grid" points="{_points([ring] * count)}"/>' for ring in (0.25, 0.5, 0.75, 1.0)]
    for i, label in enumerate(labels):
        x, y = _place(i, 1.0, count)
        parts.append(f'<line class="grid" x1="{_CENTRE[0]}" y1="{_CENTRE[1]}" x2="{x:.1f}" y2="{y:.1f}"/>')
        parts.append(_axis_label(i, count, label))
    for number, values in enumerate(shapes):
        parts.append(f'<polygon class="shape s{number}" points="{_points(values)}"/>')
        for i, value in enumerate(values):
            x, y = _place(i, value, count)
            parts.append(f'<circle class="dot s{number}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>')
    return _svg("radar", 320, 224, parts, described)


def histogram(scores: Sequence[int], described: str) -> Markup:
    """How often each score from 1 to 5 was given, as columns; `scores` are five counts."""
    most = max(1, *scores)
    parts = []
    for i, count in enumerate(scores):
        x, tall = 6 + 30 * i, 44 * count / most
        parts.append(f'<rect class="empty" x="{x}" y="16" width="22" height="44" rx="3"/>')
        if count:
            parts.append(
                f'<rect class="column" x="{x}" y="{60 - tall:.1f}" width="22" height="{tall:.1f}" rx="3"/>'
            )
            parts.append(f'<text class="count" x="{x + 11}" y="{55 - tall + 0:.1f}">{count}</text>')
        parts.append(f'<text class="tick" x="{x + 11}" y="75">{i + 1}</text>')
    return _svg("histogram", 154, 80, parts, described)


def dumbbell(rag: float, plain: float, described: str) -> Markup:
    """Two means on a line from 1 to 5: a full dot with RAG, a ring without."""
    x_rag, x_plain = (24 + 312 * (value - 1) / 4 for value in (rag, plain))
    parts = ['<line class="grid" x1="24" y1="12" x2="336" y2="12"/>']
    parts += [f'<line class="grid" x1="{24 + 78 * i}" y1="8" x2="{24 + 78 * i}" y2="16"/>' for i in range(5)]
    parts.append('<text x="8" y="15.5">1</text><text x="352" y="15.5">5</text>')
    parts.append(f'<line class="link" x1="{x_plain:.1f}" y1="12" x2="{x_rag:.1f}" y2="12"/>')
    parts.append(f'<circle class="ring" cx="{x_plain:.1f}" cy="12" r="5"/>')
    parts.append(f'<circle class="full" cx="{x_rag:.1f}" cy="12" r="5"/>')
    return _svg("dumbbell", 360, 24, parts, described)


def _svg(name: str, width: int, height: int, parts: Sequence[str], described: str) -> Markup:
    body = Markup("").join(Markup(part) for part in parts)
    return Markup('<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        name, width, height, described, body
    )


def _axis_label(i: int, count: int, label: str) -> str:
    angle = _angle(i, count)
    dx, dy = math.cos(angle), math.sin(angle)
    x, y = _CENTRE[0] + (_RADIUS + 9) * dx, _CENTRE[1] + (_RADIUS + 12) * dy + 4
    anchor = "start" if dx > 0 else "end"
    return f'<text class="axis" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(label)}</text>'


def _angle(i: int, count: int) -> float:
    # Axes begin right of the top: none is level, so that names have room at the sides.
    return 2 * math.pi * (i + 0.5) / count - math.pi / 2


def _place(i: int, value: float, count: int) -> tuple[float, float]:
    distance = _RADIUS * (_CORE + (1 - _CORE) * min(1.0, max(0.0, value)))
    angle = _angle(i, count)
    return _CENTRE[0] + distance * math.cos(angle), _CENTRE[1] + distance * math.sin(angle)


def _points(values: Sequence[float]) -> str:
    places = (_place(i, value, len(values)) for i, value in enumerate(values))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
