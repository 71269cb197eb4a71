"""The one definition of tables.yaml and of the lake's tables, shared by the CLI and the job."""
