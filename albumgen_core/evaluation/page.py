"""One page of HTML: a verdict, tables and plots, with nothing to load from elsewhere."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

_STYLE = """body{font:16px/1.55 system-ui,sans-serif;color:#222;max-width:66rem;margin:2.5rem auto;
padding:0 1.2rem}
h1{font-size:1.7rem;margin-bottom:.2rem} h2{font-size:1.15rem;margin-top:2.2rem}
.how{color:#666;font-size:.92rem}
.verdict{border-left:4px solid #0072B2;padding:.1rem 1.1rem;background:#f4f8fb}
img{width:100%;height:auto} .narrow{max-width:44rem} .wide{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;font-size:.92rem} th,td{padding:.28rem .8rem .28rem 0;text-align:right}
td{white-space:nowrap} th:first-child,td:first-child{text-align:left}
thead th{border-bottom:1px solid #bbb;font-weight:600}
tbody tr+tr td{border-top:1px solid #eee}"""


def json_ready(value: Any, decimals: int) -> Any:
    """Figures rounded, and None for what is no number, in mappings and lists too: JSON knows no NaN."""
    if isinstance(value, Mapping):
        return {str(key): json_ready(inner, decimals) for key, inner in value.items()}
    if isinstance(value, list):
        return [json_ready(inner, decimals) for inner in value]
    if isinstance(value, float):
        return round(value, decimals) if math.isfinite(value) else None
    return value


def page(title: str, subtitle: str, verdict: Sequence[str], body: Sequence[str], command: str = "") -> str:
    """The whole page.

    Args:
        title, subtitle, verdict, command: text, escaped here.
        body: parts of HTML, as the functions below make them.
    """
    sentences = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in verdict)
    made = f"<p class='how'>Made by <code>{html.escape(command)}</code>.</p>" if command else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>AlbumGen: {html.escape(title)}</title><style>\n{_STYLE}</style></head><body>\n"
        f"<h1>{html.escape(title)}</h1>\n<p class='how'>{html.escape(subtitle)}</p>\n"
        f"<div class='verdict'>{sentences}</div>\n" + "\n".join(body) + f"\n{made}</body></html>\n"
    )


def heading(text: str) -> str:
    """A heading within the page."""
    return f"<h2>{html.escape(text)}</h2>"


def note(text: str) -> str:
    """A paragraph of small print."""
    return f"<p class='how'>{html.escape(text)}</p>"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is text, the others figures."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in heads)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>\n" for row in rows)
    return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>"


def picture(png: bytes, description: str, *, narrow: bool = False) -> str:
    """A PNG within the page."""
    data = base64.b64encode(png).decode()
    image = f'<img alt="{html.escape(description)}" src="data:image/png;base64,{data}">'
    return f"<div class='narrow'>{image}</div>" if narrow else image
