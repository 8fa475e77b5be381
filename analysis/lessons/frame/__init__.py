"""What lessons are made with: the noun, its evidence, intervals, verdicts and charts."""
