"""The deployed web server and a worker under analyze, edits and pages, beside clients that are slow on purpose."""
