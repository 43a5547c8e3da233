"""What to train in a time, and the loss it will reach: probes on the text, a law, a recommendation, its page."""

from glassloom.forecast.planning import plan
from glassloom.forecast.results import Curve, Forecast, Plan, Probe

__all__ = ["Curve", "Forecast", "Plan", "Probe", "plan"]
