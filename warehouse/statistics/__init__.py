"""Statistical functions that SQL calls."""
