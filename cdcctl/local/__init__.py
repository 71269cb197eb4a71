"""The pipeline on one machine, on real parts: PostgreSQL, a Kafka broker, a capture and the job."""
