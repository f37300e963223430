"""Tests of the wire protocols, against servers on real sockets."""
