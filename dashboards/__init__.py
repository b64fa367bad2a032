"""WHAT people see: pages that draw the tables of a release and compute nothing themselves."""
