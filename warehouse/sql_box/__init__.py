"""The sandbox for SQL queries: the query gate, the limits of DuckDB and of the system, and the sandbox process."""
