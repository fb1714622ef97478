"""The configuration that Prism is measured with: what a real one has, at one local provider."""

from __future__ import annotations

import hashlib
from pathlib import Path

from prompts import KEY

CREDENTIAL = "BENCH_PROVIDER_KEY"
"""The environment variable with the provider's key; Prism writes it into each request."""
_DOCUMENTS = """\
apiVersion: routing.prism.dev/v1alpha1
kind: RoutingTable
metadata: {{name: default}}
spec:
  defaultMode: balanced
  # Requests that Prism did not see fail, and so can't be counted.
  failureMode: Closed
  providers:
    - {{name: upstream, baseURL: "http://127.0.0.1:{port}/v1", region: eu,
       credentials: [{{key: {credential}}}]}}
  models:
{models}
  cells:
{cells}
---
apiVersion: routing.prism.dev/v1alpha1
kind: ProjectPolicy
metadata: {{name: bench}}
spec:
  project: bench
  apiKeys: [{{sha256: "{digest}", name: bench}}]
  models: {{denied: [large-b]}}
  limits: {{maxCostPerRequest: 5}}
"""
_MODEL = """\
    - name: {name}
      provider: upstream
      price: {{inputPerMillion: {price}, outputPerMillion: {output}}}
      quality: {{simple: {quality}, code: {quality}, reasoning: {quality}, complex: {quality}}}
      latency: {{timeToFirstTokenMs: 400, tokensPerSecond: 90}}
      contextLength: 400000
      capabilities: [tools, vision, jsonSchema]"""
_MODELS = (
    ("small-a", 0.1, 0.6),
    ("small-b", 0.2, 0.62),
    ("medium-a", 0.5, 0.7),
    ("medium-b", 0.8, 0.72),
    ("large-a", 3, 0.8),
    ("large-b", 5, 0.82),
)
_CELLS = {
    "eco": "[small-a, small-b, medium-a]",
    "balanced": "[medium-a, medium-b, large-b, small-b]",
    "sport": "[large-b, large-a, medium-b]",
}


def write(folder: Path, upstream_port: int) -> None:
    """Write the resources, with the upstream as the provider of every model."""
    models = [
        _MODEL.format(name=name, price=price, output=price * 4, quality=quality)
        for name, price, quality in _MODELS
    ]
    cells = []
    for task in ("simple", "code", "reasoning", "complex"):
        cells.append(f"    {task}:")
        cells += [f"      {mode}: {names}" for mode, names in _CELLS.items()]
    text = _DOCUMENTS.format(
        port=upstream_port,
        credential=CREDENTIAL,
        digest=hashlib.sha256(KEY.encode()).hexdigest(),
        models="\n".join(models),
        cells="\n".join(cells),
    )
    (folder / "bench.yaml").write_text(text, "utf-8")
