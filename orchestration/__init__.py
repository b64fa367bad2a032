"""WHEN tables are made: Dagster definitions, the command line, snapshots and the sources they come from."""
