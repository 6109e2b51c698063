"""Around every page and answer: who may ask, what browsers are told, and what happens to requests that go wrong."""
