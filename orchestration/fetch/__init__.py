"""Fetching feeds: configuration, polite HTTP client, fetch sessions and their journal."""
