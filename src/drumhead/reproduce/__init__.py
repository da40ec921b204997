"""The paper's experiments again: what to train, the paper's numbers, and the reports that compare the two."""
