"""Bibliographic services that add facts about known papers."""
