"""From bytes to raw tables: snapshots, parsing in a separate process, limits, identity, accounts."""
