"""REST API: documents in, search and cited answers out."""
