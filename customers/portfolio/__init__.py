"""All customers at once: how their scores are spread, whose moved most, and some of them at random."""
