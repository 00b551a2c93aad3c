"""Medians that stand beside their lowest and highest."""
import statistics


def spread(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def told(figure, scale=1, digits=3):
    """0.280 (0.279 to 0.291)"""
    middle, low, high = (f"{figure[key] * scale:.{digits}f}" for key in ("median", "low", "high"))
    return f"{middle} ({low} to {high})"
