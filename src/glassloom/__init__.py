"""Glassloom: train small sequence language models on your own text, compare them fairly, and see through them."""

__version__ = "0.1.0"
