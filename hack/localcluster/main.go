// localcluster is every Kubernetes process of a one-machine cluster in one binary.
// The first argument names the process; the rest are its own flags, unchanged.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	etcd "go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubeadm "k8s.io/kubernetes/cmd/kubeadm/app"
	kubeadmerrors "k8s.io/kubernetes/cmd/kubeadm/app/util/errors"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
)

var commands = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllermanager.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kube-proxy":              proxy.NewProxyCommand,
	// A plain context: the kubelet installs the signal handler itself and a second one panics.
	"kubelet":     func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"provisioner": newProvisionerCommand,
}

func main() {
	if len(os.Args) < 2 {
		fail("no process named")
	}
	os.Args = os.Args[1:]
	switch name := os.Args[0]; name {
	case "etcd":
		etcd.Main(os.Args)
	case "kubeadm":
		kubeadmerrors.HandleError(kubeadm.Run())
	default:
		command, known := commands[name]
		if !known {
			fail(fmt.Sprintf("unknown process %q", name))
		}
		os.Exit(cli.Run(command()))
	}
}

func fail(reason string) {
	names := append(slices.Sorted(maps.Keys(commands)), "etcd", "kubeadm")
	fmt.Fprintf(os.Stderr, "localcluster: %s; the first argument is one of %s\n", reason, strings.Join(names, ", "))
	os.Exit(2)
}
