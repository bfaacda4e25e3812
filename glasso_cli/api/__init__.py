"""What a notebook uses: everything the command line does, on arrays and artifacts in memory."""
