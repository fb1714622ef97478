"""From measurements to a RoutingTable: which models answer each task in each mode.

Measurements are aggregated rows (one a model) or outcomes (one a prompt and model). Pure, but
for reading the files that it is given: the same inputs give the same bytes. Modes are tolerances
on quality, so that a cell follows from numbers and not from taste.
"""
