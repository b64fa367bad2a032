"""Pages of the labs' own sites."""
