"""What is inside a model: each view is one function from a run or a model to plain labelled numbers; none draws."""
