"""Figures and times as people write them."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Return a duration as people write it: 45s, 4m10s, 2h05m, 3d04h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    hours = minutes // 60
    return f"{hours}h{minutes % 60:02d}m" if hours < 72 else f"{hours // 24}d{hours % 24:02d}h"


def size(count: float) -> str:
    """Return a number of bytes as people write it: 812 B, 1.5 MiB."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
