"""A bank's CSV file: which columns it has, how it writes numbers, which rows are good, and why the others are not."""
