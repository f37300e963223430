"""Tests of the core, on a clock that the tests control."""
