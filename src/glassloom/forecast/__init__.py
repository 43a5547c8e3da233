"""What to train in a time, and the loss it will reach."""
