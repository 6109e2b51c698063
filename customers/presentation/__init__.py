"""Small pictures for the pages of the admin: inline SVG that takes its colours from the page and its one CSS file."""
