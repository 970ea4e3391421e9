// Command testkube is a whole Kubernetes in one program, for tests: the upstream entry points of
// etcd, the control plane, the node agents and kubectl, unchanged, linked together so that
// one build and one file on disk serve all seven.
//
//	testkube kube-apiserver --etcd-servers=...
//
// What runs is chosen by the first argument. Nothing of ours sits between it and the upstream
// code: a behaviour seen in a test is the behaviour of Kubernetes at the version in go.mod.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	_ "time/tzdata" // time zones of CronJobs, without the machine's zoneinfo

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // exec and oidc credentials in kubectl
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // the usual /metrics
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

type component struct {
	name string
	main func()
}

// All but etcd and kubectl are cobra commands that want the same few lines around them.
func cobraMain(make func() *cobra.Command) func() {
	return func() { os.Exit(cli.Run(make())) }
}

var components = []component{
	{"etcd", func() { etcdmain.Main(os.Args) }},
	{"kube-apiserver", cobraMain(apiserver.NewAPIServerCommand)},
	{"kube-controller-manager", cobraMain(controllers.NewControllerManagerCommand)},
	{"kube-scheduler", cobraMain(func() *cobra.Command { return scheduler.NewSchedulerCommand() })},
	{"kubelet", cobraMain(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) })},
	{"kube-proxy", cobraMain(proxy.NewProxyCommand)},
	{"kubectl", kubectlMain},
}

func kubectlMain() {
	logs.GlogSetter(kubectl.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err) // prints and exits as kubectl does
	}
}

func main() {
	if len(os.Args) > 1 {
		i := slices.IndexFunc(components, func(c component) bool { return c.name == os.Args[1] })
		if i >= 0 {
			os.Args = os.Args[1:] // the component sees its own name as argv[0]
			components[i].main()
			return
		}
	}
	fmt.Fprintln(os.Stderr, "usage: testkube COMPONENT ARGS...\ncomponents:")
	for _, c := range components {
		fmt.Fprintln(os.Stderr, "  "+c.name)
	}
	os.Exit(2)
}
