"""What happens to a request: plain Python, no Home Assistant, no HTTP, no SQL."""
