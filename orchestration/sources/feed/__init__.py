"""RSS and Atom feeds, and captured podcast pages."""
