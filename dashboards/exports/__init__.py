"""Files a reader can download."""
