"""Which precision each stage of a network should have: costs, choice, proof, and the words."""
