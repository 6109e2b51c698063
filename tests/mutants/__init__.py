"""Each statement of a module taken away in turn: do the module's own tests notice? ``make mutants``."""
