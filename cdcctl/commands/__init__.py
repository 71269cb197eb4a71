"""One module per command: options in, one operation, one view out."""
