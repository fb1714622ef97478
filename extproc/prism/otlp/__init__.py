"""Generated code of ``protos/``: what is sent of OpenTelemetry's protocol."""
