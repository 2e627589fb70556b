"""Format the words and numbers that all charts share."""

from __future__ import annotations

UNCERTAIN = "Not sure. Treat the ranking as a hint."


def percent(probability: float) -> str:
    """Return a probability in percent with one decimal, and never 0 or 100 by rounding alone."""
    if 0 < probability < 0.0005:
        return "<0.1%"
    if 0.9995 <= probability < 1:
        return ">99.9%"
    return f"{probability:.1%}"
