"""HTML pages that explain numbers: one file each, no script, nothing fetched from anywhere.

Charts are matplotlib's, as SVG in the page; the same numbers give the same bytes.
"""
