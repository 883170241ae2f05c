"""One strategy per file: how each document type is cleaned, chunked and embedded."""
