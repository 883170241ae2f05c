"""Change data capture: the document store's changes, published to the partitioned log."""
