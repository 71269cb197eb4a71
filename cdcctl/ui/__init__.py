"""What the operator sees; the only importer of rich."""
