"""One file for each page; pages draw and compute nothing."""
