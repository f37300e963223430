"""A household to try and to test AI Router in: the real Home Assistant, booted and furnished through its public API."""
