"""Charts with their frame: title, finding, cautions, table, downloads, SQL, citation."""
