"""SQL queries on a release; no drawing."""
