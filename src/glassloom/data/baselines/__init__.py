"""What simple methods need for the same held-out text: the lines that every loss is measured against."""
