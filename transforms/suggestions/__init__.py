"""Models that suggest categories, trained from the labels that the lake holds; see docs/suggestions.md."""
