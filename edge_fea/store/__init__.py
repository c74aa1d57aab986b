"""SQLite: schema, migrations, integrity."""
