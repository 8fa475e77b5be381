"""The field's textbook, one file a claim: each is tried on the machine that a run measured."""
