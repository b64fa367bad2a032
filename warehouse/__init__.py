"""WHAT tables there are and where they lie: declarations, the lake, releases, reference data."""
