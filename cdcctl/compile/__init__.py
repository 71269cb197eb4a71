"""Pure builders: tables.yaml in, the artefacts of PostgreSQL, DMS, Kafka and Glue out."""
