"""The forest as arithmetic: from a fitted model to flat arrays, scores and exact contributions."""
