"""Which pruned networks are worth a run, alone and in lower precision, and which is chosen."""
