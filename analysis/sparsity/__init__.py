"""What zeros in weights are worth: bytes with their index, roofs, verdicts, and the words."""
