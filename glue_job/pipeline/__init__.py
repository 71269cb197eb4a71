"""The seven steps of a micro-batch: DataFrame in, DataFrame out, no reads, no writes, no clock."""
