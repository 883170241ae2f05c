"""Programs that measure the system; each stands behind one make target."""
