"""What outlives a restart: the ledger of every attempt, on SQLite."""
