"""What the tool can do, as functions: a request in, a report out."""
