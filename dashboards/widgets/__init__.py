"""Filters, lists and editors that pages share."""
