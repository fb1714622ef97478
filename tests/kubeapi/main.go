// kube-apiserver as a program of our own: the real server, built from its published Go module,
// for machines that have Go but no container engine and no download of Kubernetes' binaries.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}
