"""Full-text search over a release."""
