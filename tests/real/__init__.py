"""Tests against servers and types that others wrote: scripts/test --real."""
