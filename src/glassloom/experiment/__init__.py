"""A recipe carried out: what is missing is trained, what is there is shown, on one page."""
