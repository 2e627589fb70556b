"""Words and numbers that every chart writes in the same way."""

from __future__ import annotations

UNCERTAIN = "not sure: the evidence is thin, the ranking is only a hint"


def percent(probability: float) -> str:
    """Return a probability in percent with one decimal, and never 0 or 100 by rounding alone."""
    if 0 < probability < 0.0005:
        return "<0.1%"
    if 0.9995 <= probability < 1:
        return ">99.9%"
    return f"{probability:.1%}"
