"""The two stages of a request as state machines that do no I/O: events in, steps out.

``route`` answers Envoy's route stage, once per request; ``attempt`` answers the attempt
stage, once per further attempt. The shell (``prism.serve``) feeds them events and carries
out their steps, so both can be tested without Envoy, gRPC or a clock.
"""
