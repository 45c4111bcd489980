"""Jobs: a durable journal, a fair queue, and a worker process that owns the models."""
