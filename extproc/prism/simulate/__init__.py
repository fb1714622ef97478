"""What another configuration would have done with decisions that were made: a plan before it is
applied.

Pure: records and a plan in, differences out. A decision is made again by the engine, with the
signals, classification and health that it had; only the configuration is another.
"""
