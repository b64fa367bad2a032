"""The kinds of source: how each is fetched, recognised and parsed. One folder per family."""
