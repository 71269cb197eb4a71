"""The Glue streaming job: change events from Kafka to SCD2 history in Delta Lake."""
