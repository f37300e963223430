"""Adding and changing pools and rules, in a real Home Assistant."""
