"""Generated code of ``protos/``: the configuration as it travels and is stored."""
