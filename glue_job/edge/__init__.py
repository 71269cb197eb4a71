"""Side effects of the job: Delta tables, Kafka, Deequ, files, AWS."""
