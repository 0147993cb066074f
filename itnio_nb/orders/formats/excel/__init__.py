"""Workbooks: which sheet has the orders, its cells, and what a program shows of them."""
