"""The operator tool: everything that is printed or asked happens here."""
