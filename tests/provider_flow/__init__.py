"""Adding and changing providers in a real Home Assistant, checked live against servers on the loopback."""
