#!/usr/bin/env bash
# A whole Prism on this machine: cluster, images, chart, samples, and a request through the gateway.
# "make kind" runs it, again after every change of the code; "make kind-down" takes all away.
set -euo pipefail
cd "$(dirname "$0")/../.."

for tool in docker kind kubectl helm curl; do
  command -v "$tool" >/dev/null || { echo "make kind needs $tool on the PATH" >&2; exit 1; }
done
docker info >/dev/null 2>&1 || { echo "make kind needs a running Docker" >&2; exit 1; }

cluster=prism
namespace=prism-system
kubectl() { command kubectl --context "kind-$cluster" "$@"; }

kind get clusters | grep -qx "$cluster" || kind create cluster --config kind-config.yaml --wait 120s

for image in extproc operator; do
  docker build --target "$image" --tag "prism-$image:kind" .
  kind load docker-image "prism-$image:kind" --name "$cluster"
done

kubectl apply -f examples/kubernetes/namespace.yaml
kubectl apply --server-side -f charts/prism/crds
# The ids of the images make the pods start anew where, and only where, an image has changed.
helm upgrade --install prism charts/prism --kube-context "kind-$cluster" \
  --namespace "$namespace" --values examples/kubernetes/kind-values.yaml \
  --set images.extproc.tag=kind,images.operator.tag=kind \
  --set-string "gateway.podAnnotations.image=$(docker image inspect -f '{{.Id}}' prism-extproc:kind)" \
  --set-string "operator.podAnnotations.image=$(docker image inspect -f '{{.Id}}' prism-operator:kind)" \
  --wait --timeout 5m

kubectl --namespace "$namespace" get routingtables,projectpolicies
echo "A request through the gateway:"
curl --fail --silent --show-error --include --retry 10 --retry-connrefused \
  http://127.0.0.1:8080/v1/chat/completions \
  -H 'Content-Type: application/json' \
  -d '{"model": "auto", "messages": [{"role": "user", "content": "Capital of France?"}]}'
echo
echo "It stays at http://127.0.0.1:8080; make kind-down takes it away."
