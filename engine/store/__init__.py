"""Where durable state lives: connections, embedded Postgres, migrations, the sealed and fenced checkpointer."""
