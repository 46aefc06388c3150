"""Small pieces of HTML. Every text goes through `text`, so that names from the outside stay names."""

import html
import json
from collections.abc import Iterable, Sequence
from typing import Any


def text(value: object) -> str:
    """`value` as text between tags or in a quoted attribute."""
    return html.escape(str(value), quote=True)


def paragraph(words: str, style: str = "") -> str:
    """A paragraph of plain text."""
    return f"<p{_class(style)}>{text(words)}</p>"


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def section(identifier: str, heading: str, *parts: str) -> str:
    """A section with its heading; `parts` are HTML."""
    body = "\n".join(part for part in parts if part)
    opening = f'<section id="{identifier}" aria-labelledby="{identifier}-title">'
    return f'{opening}\n<h2 id="{identifier}-title">{text(heading)}</h2>\n{body}\n</section>'


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], texts: Sequence[int] = (0,)) -> str:
    """A table of plain text that scrolls sideways where it must; the columns `texts` are aligned to the left."""
    head = "".join(_cell("th", word, place in texts, ' scope="col"') for place, word in enumerate(headings))
    body = "\n".join(
        "<tr>" + "".join(_cell("td", word, place in texts) for place, word in enumerate(row)) + "</tr>" for row in rows
    )
    inner = f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>"
    return f'<div class="scroll" tabindex="0"><table>\n{inner}</table></div>'


def _cell(name: str, word: str, left: bool, extra: str = "") -> str:
    return f"<{name}{extra}{_class('t' if left else '')}>{text(word)}</{name}>"


def plot(name: str, caption: str, height: int, style: str = "") -> str:
    """The place of a figure, as high as it will be so that nothing jumps, with what it shows in words."""
    return (
        f'<figure{_class(style)}><div class="scroll"><div class="plot" data-figure="{text(name)}" '
        f'style="min-height:{height}px" role="group" aria-label="{text(caption)}"></div></div>'
        f"<figcaption>{text(caption)}</figcaption></figure>"
    )


def json_text(value: object) -> str:
    """One value as JSON."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def data(identifier: str, document: Any) -> str:
    """A document, or its JSON, for the page's script; '<' is written as an escape, so that no name ends the element."""
    encoded = document if isinstance(document, str) else json_text(document)
    safe = encoded.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f'<script type="application/json" id="{identifier}">{safe}</script>'
