"""Statistical functions that SQL queries call."""
