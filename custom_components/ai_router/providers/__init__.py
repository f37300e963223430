"""The wire protocols: one file per kind of provider. They speak HTTP through the session they are given."""
