"""The running server: gRPC for Envoy, configuration, classifier, outcomes, admin HTTP.

All I/O lives here. ``server`` puts the parts together; each part is one module.
"""
