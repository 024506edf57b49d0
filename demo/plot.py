"""The trade between policies as a drawing: SVG in text, so that the program makes what docs show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

PANELS = (
    ("asks_per_filled", "Asks for a filled place", 1.0, ""),
    ("filled", "Places filled", 100.0, " %"),
    ("median_days", "Median days to fill", 1.0, ""),
    ("busiest_tenth", "Asks on the busiest tenth", 100.0, " %"),
)
"""Key, title, what a figure is shown times, and its unit."""
WIDE, LABELS, ROW, TOP, GAP = 720, 150, 22, 34, 16
Figures = Mapping[str, Sequence[float | None]]


def draw_trade(policies: Mapping[str, Figures]) -> str:
    """A panel a figure, a line a policy: the mean as a dot, its 95 % interval as a bar.

    Colours follow the reader's light or dark page.
    """
    height = len(PANELS) * (TOP + ROW * len(policies) + GAP)
    title = "Policies beside each other: " + ", ".join(name for _k, name, _f, _u in PANELS)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {height}" role="img" '
            f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="13">'
        ),
        (
            "<style>text{fill:#1c2733}.q{fill:#55636f}.b{stroke:#2c6e9b}.d{fill:#2c6e9b}.a{stroke:#c4ccd4}"
            "@media(prefers-color-scheme:dark){text{fill:#e6ecf2}.q{fill:#a6b3bf}.b{stroke:#7db8e0}"
            ".d{fill:#7db8e0}.a{stroke:#4a5661}}</style>"
        ),
    ]
    top = 0
    for key, label, factor, unit in PANELS:
        parts += _panel(policies, top, key, label, factor, unit)
        top += TOP + ROW * len(policies) + GAP
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(
    policies: Mapping[str, Figures], top: int, key: str, label: str, factor: float, unit: str
) -> list[str]:
    most = max(factor * (found[key][2] or found[key][0] or 0.0) for found in policies.values())
    scale = (WIDE - LABELS - 150) / (most or 1.0)
    begins, ends = top + TOP - 8, top + TOP + ROW * len(policies) - 6
    parts = [
        f'<text x="0" y="{top + 16}" font-weight="600">{escape(label)}</text>',
        f'<line class="a" x1="{LABELS}" y1="{begins}" x2="{LABELS}" y2="{ends}"/>',
    ]
    for n, (name, found) in enumerate(policies.items()):
        y = top + TOP + ROW * n + 4
        mean, low, high = (factor * v if v is not None else None for v in found[key])
        x = LABELS + scale * (mean or 0.0)
        said = f"{mean:.1f}{unit}"
        if low is not None and high is not None:
            x1, x2 = LABELS + scale * max(0.0, low), LABELS + scale * high
            parts.append(
                f'<line class="b" x1="{x1:.1f}" y1="{y}" x2="{x2:.1f}" y2="{y}" stroke-width="4" '
                'stroke-opacity=".4" stroke-linecap="round"/>'
            )
            said += f" ({low:.1f} to {high:.1f})"
        parts += [
            f'<text x="0" y="{y + 4}">{escape(name)}</text>',
            f'<circle class="d" cx="{x:.1f}" cy="{y}" r="5"/>',
            f'<text class="q" x="{WIDE}" y="{y + 4}" text-anchor="end">{said}</text>',
        ]
    return parts
