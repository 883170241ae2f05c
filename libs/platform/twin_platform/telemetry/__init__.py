"""Clock and logs."""
