"""Reads lake tables; the only importer of deltalake."""
