"""The flow: change events in, two snapshots out."""
