"""HOW tables are made: SQL files with their declarations, and what runs them."""
