"""WHAT must be true: declared limits of tables and checks between them."""
