"""A lake on an S3-compatible object store: its objects, its versions, the lease of its writer, and local copies."""
