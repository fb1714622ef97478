"""What a table would have cost and how well it would have answered, by graded answers.

A table is asked with the engine that decides requests, and compared with always the same model,
with chance and with an oracle. Everything random is seeded.
"""
