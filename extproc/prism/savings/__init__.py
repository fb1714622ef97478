"""What a workload cost, and what it would have cost through the gateway.

A log's lines become usages (who was asked, how many tokens); each is decided again by the same
engine as a request in the gateway, in every mode; sums are kept, never the lines. Pure, but for
reading the files that it is given. The classifier and the prices are handed in.
"""
