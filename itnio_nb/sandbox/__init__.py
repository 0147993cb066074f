"""A stand-in for the API on 127.0.0.1, for trials, demonstrations and tests.

Read `sandbox.py` first, then `endpoints.py`. Its rules are its own reading of the API document: of the package it
imports `api.account` alone, so that a mistake of the client meets one that does not share it.
"""
