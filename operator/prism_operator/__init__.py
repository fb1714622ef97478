"""The Kubernetes operator of Prism Router."""
