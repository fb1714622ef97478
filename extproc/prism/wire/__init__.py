"""Between Envoy's protobuf messages and Prism's values; nothing else names protobuf."""
