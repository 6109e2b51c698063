"""How scores, times and numbers are shown: in words, and as inline SVG that takes its colours from the page."""
