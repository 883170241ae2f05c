"""What reaches out of the process."""
