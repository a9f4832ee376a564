"""Draws what was measured, as SVG: a pair of bars for each figure beside its reference, lines for each series."""

from collections.abc import Iterator, Sequence
from html import escape
from math import log10

from tests.benchmarks.measuring import Figure, Result, number

WIDTH, LABELS, BARS, ROW, CHART = 960, 330, 420, 34, 220
_OURS, _THEIRS = "#1f6feb", "#b9c0ca"
_COLOURS = ("#1f6feb", "#d1495b", "#2a9d8f", "#e9a23b", "#7a4fbf", "#5c6770")
_STYLE = "text{font:13px sans-serif;fill:#24292f}.head{font-weight:bold;font-size:15px}.small{font-size:11px}"


def draw(results: Sequence[Result]) -> str:
    """Draw all of them, one below the other."""
    parts: list[str] = []
    top = 10.0
    for result in results:
        pairs = [figure for figure in result.figures if figure.ratio is not None]
        charts = [points for points in (result.series or {}).items() if len(points[1]) > 1]
        if not pairs and not charts:
            continue
        top += 26
        parts.append(_text(10, top, result.name, "head"))
        for figure in pairs:
            parts += _pair(figure, top + 10)
            top += ROW + 8
        for group in _alike(charts):
            parts += _chart(group, top + 20)
            top += CHART + 50
        top += 20
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top:.0f}" width="{WIDTH}">'
    return "\n".join(
        [head, f"<style>{_STYLE}</style>", '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>\n"]
    )


_Line = tuple[str, Sequence[tuple[float, float]]]


def _alike(charts: Sequence[_Line]) -> Iterator[list[_Line]]:
    """Put lines over the same places into one chart."""
    groups: dict[tuple[object, ...], list[_Line]] = {}
    for name, points in charts:
        unit = name.partition(":")[0]
        groups.setdefault((unit, *(x for x, _ in points)), []).append((name, points))
    yield from groups.values()


def _pair(figure: Figure, top: float) -> Iterator[str]:
    theirs = figure.reference_value or 0.0
    most = max(figure.value, theirs) or 1.0
    yield _text(10, top + 14, figure.what)
    yield _text(10, top + 29, f"{figure.ratio:.1f} times{f', goal {figure.goal}' if figure.goal else ''}", "small")
    bars = (
        (figure.value, _OURS, f"{number(figure.value)} {figure.unit}"),
        (theirs, _THEIRS, f"{number(theirs)} {figure.reference}"),
    )
    for line, (value, colour, words) in enumerate(bars):
        long = max(1.0, BARS * value / most)
        y = top + line * (ROW / 2)
        yield f'<rect x="{LABELS}" y="{y:.1f}" width="{long:.1f}" height="{ROW / 2 - 3}" fill="{colour}"/>'
        yield _text(LABELS + long + 6, y + 12, words, "small")


def _chart(lines: Sequence[_Line], top: float) -> Iterator[str]:
    values = [y for _, points in lines for _, y in points if y > 0]
    low, high = _decade(min(values), up=False), _decade(max(values), up=True)
    places = [x for x, _ in lines[0][1]]
    left, width = 70.0, WIDTH - 360.0

    def at_x(index: int) -> float:
        return left + width * index / max(1, len(places) - 1)

    def at_y(value: float) -> float:
        share = (log10(max(value, 10**low)) - low) / max(1, high - low)
        return top + CHART * (1 - share)

    for power in range(low, high + 1):
        y = at_y(10.0**power)
        yield f'<line x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d8dee4"/>'
        yield _text(left - 8, y + 4, number(10.0**power), "small", end=True)
    for index, x in enumerate(places):
        yield _text(at_x(index), top + CHART + 18, f"{x:g}", "small")
    for line, (name, points) in enumerate(lines):
        colour = _COLOURS[line % len(_COLOURS)]
        path = " ".join(f"{at_x(index):.1f},{at_y(y):.1f}" for index, (_, y) in enumerate(points))
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield f'<rect x="{left + width + 20}" y="{top + 20 * line:.1f}" width="12" height="12" fill="{colour}"/>'
        yield _text(left + width + 38, top + 20 * line + 11, name, "small")


def _decade(value: float, *, up: bool) -> int:
    exact = log10(value)
    whole = int(exact // 1)
    return whole + 1 if up else whole


def _text(x: float, y: float, words: str, kind: str = "", *, end: bool = False) -> str:
    anchor = ' text-anchor="end"' if end else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}"{anchor}>{escape(words)}</text>'
