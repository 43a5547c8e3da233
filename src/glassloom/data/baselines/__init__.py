"""What simple methods need for the same held-out text: the lines that every loss is measured against."""

from glassloom.data.baselines.job import BaselineJob
from glassloom.data.baselines.kneser_ney import KneserNey
from glassloom.data.baselines.measure import METHODS, Baseline, baselines, cached, passed
from glassloom.data.baselines.of_text import baseline_nats

__all__ = ["METHODS", "Baseline", "BaselineJob", "KneserNey", "baseline_nats", "baselines", "cached", "passed"]
