"""Tables and where they are stored: declarations, the lake, releases, reference data."""
