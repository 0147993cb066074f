"""Runbooks: a notebook executed unattended, its exit code, and the record that is kept of it. Begin with `execute`."""
