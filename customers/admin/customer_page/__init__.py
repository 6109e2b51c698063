"""The page of one customer: the score, its reasons and history, and the fields that staff edit."""
