"""Shapes of SVG, and colours that follow a page's light or dark scheme."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

__all__ = ["line", "path", "rectangle", "svg", "text"]

#: Variables that a page may set; alone, a picture follows the reader's scheme.
_STYLE = """
.hp{--hp-ink:#24292f;--hp-faint:#8c959f;--hp-block:#ddf4ff;--hp-edge:#0969da;--hp-memory:#fff8c5;--hp-rim:#9a6700}
@media(prefers-color-scheme:dark){
.hp{--hp-ink:#e6edf3;--hp-faint:#6e7681;--hp-block:#0c2d6b;--hp-edge:#58a6ff;--hp-memory:#3b2300;--hp-rim:#d29922}}
.hp text{fill:var(--hp-ink);font:14px system-ui,"Segoe UI",Helvetica,Arial,sans-serif;text-anchor:middle}
.hp .hp-name{font-weight:600}
.hp .hp-port{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:13px}
.hp .hp-small{font-size:13px}
.hp .hp-note{fill:var(--hp-faint);font-size:12px}
.hp .hp-value{font-size:12px}
.hp .hp-any{fill:var(--hp-faint);fill-opacity:.25;stroke:var(--hp-faint)}
.hp .hp-start{text-anchor:start} .hp .hp-end{text-anchor:end}
.hp .hp-block{fill:var(--hp-block);stroke:var(--hp-edge)}
.hp .hp-memory{fill:var(--hp-memory);stroke:var(--hp-rim)}
.hp .hp-wire{fill:none;stroke:var(--hp-ink);stroke-width:1.4}
.hp .hp-grid{fill:none;stroke:var(--hp-faint);stroke-width:.6;stroke-dasharray:2 3}
.hp .hp-head{fill:var(--hp-ink)}
""".replace("\n", "")


def svg(width: float, height: float, title: str, parts: Iterable[Markup]) -> str:
    """Return a picture; `title` is what is read out in its place."""
    return Markup(
        '<svg class="hp" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0:g} {1:g}" width="{0:g}" role="img" '
        'aria-label="{2}"><style>{3}</style>{4}</svg>\n'
    ).format(width, height, title, Markup(_STYLE), Markup("").join(parts))


def rectangle(kind: str, x: float, y: float, width: float, height: float) -> Markup:
    """A box with round corners; `kind` is its class, without `hp-`."""
    return Markup('<rect class="hp-{}" x="{:g}" y="{:g}" width="{:g}" height="{:g}" rx="5"/>').format(
        kind, x, y, width, height
    )


def text(x: float, y: float, words: str, kind: str = "text") -> Markup:
    """A line of text; `kind` is its classes, without `hp-`."""
    classes = " ".join(f"hp-{name}" for name in kind.split())
    return Markup('<text class="{}" x="{:g}" y="{:g}">{}</text>').format(classes, x, y, words)


def path(kind: str, shape: str) -> Markup:
    """A path of SVG's `d`."""
    return Markup('<path class="hp-{}" d="{}"/>').format(kind, shape)


def line(*points: tuple[float, float], arrow: bool = False) -> Markup:
    """A wire through points, with an arrow's head at its end."""
    shape = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
    drawn = path("wire", shape)
    if arrow:
        (x0, y0), (x, y) = points[-2:]
        dx, dy = (x > x0) - (x < x0), (y > y0) - (y < y0)
        corners = [(x, y), (x - 7 * dx - 4 * dy, y - 7 * dy - 4 * dx), (x - 7 * dx + 4 * dy, y - 7 * dy + 4 * dx)]
        drawn += path("head", "M" + "L".join(f"{a:g} {b:g}" for a, b in corners) + "z")
    return drawn
