"""The command line, the loop, the journal and the report."""
