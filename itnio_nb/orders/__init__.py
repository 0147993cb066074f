"""Spreadsheets in: read, repair and check orders; write them out as CSV and XLSX.

Read `read.py` first, then `check.py`. A file becomes a `RawTable` (`formats/`), its columns are named (`headers`) and
repaired (`repair`); `check` calls the rules (`rules/`). What is written out stands in `export/`.
"""
