"""A fake AWS on the loopback: ministack, and what it lacks of this pipeline's services."""
