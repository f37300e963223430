"""Tests of AI Router."""
