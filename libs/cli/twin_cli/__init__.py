"""The `twin` command and the launcher that runs every service in one process."""
