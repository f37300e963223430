"""What the dashboard cards get: their script, and the requests, providers and money they show, as they change."""
