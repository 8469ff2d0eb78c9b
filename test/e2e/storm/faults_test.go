package storm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A fault begins and ends. Both are called from one goroutine, and end is always called.
type fault struct {
	name string
	// tenant reports whether the fault is one that the rogue tenant causes: nobody else may notice it.
	tenant bool
	// longest is how long it may last.
	longest    time.Duration
	begin, end func(ctx context.Context) error
}

func nothing(context.Context) error { return nil }

// faults returns one fault of each kind. Where a kind has a choice, rng makes it.
func (w *world) faults(rng *rand.Rand) []fault {
	all := append(w.apiServerFaults(), w.replicaFaults(w.replicas[rng.IntN(replicas)])...)
	all = append(all, w.adminFaults()...)
	all = append(all, w.clockFault(rng, w.replicas[rng.IntN(replicas)]), w.fileFault(rng, w.replicas[rng.IntN(replicas)]))
	for _, behaviour := range []string{down, slow, lying, partial, huge} {
		all = append(all, w.sourceFault("default", behaviour), w.sourceFault("rogue", behaviour))
	}
	return append(all, w.tenantFaults(w.replicas[rng.IntN(replicas)])...)
}

func (w *world) apiServerFaults() []fault {
	return []fault{
		{
			name: "the API server is killed", longest: 8 * time.Second,
			begin: func(context.Context) error { w.KillAPIServer(); return nil },
			end:   w.StartAPIServer,
		},
		{
			name: "the API server stands still", longest: 8 * time.Second,
			begin: func(context.Context) error { w.PauseAPIServer(); return nil },
			end:   func(context.Context) error { w.ResumeAPIServer(); return nil },
		},
		{
			name: "the API server denies every write of Headstart", longest: 15 * time.Second,
			begin: func(ctx context.Context) error { return w.Apply(ctx, denyYAML) },
			end: func(ctx context.Context) error {
				_, err := w.Kubectl(ctx, []byte(denyYAML), "delete", "--ignore-not-found", "-f", "-")
				return err
			},
		},
	}
}

const denyYAML = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: storm}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - {apiGroups: ["*"], apiVersions: ["*"], operations: [CREATE, UPDATE, DELETE], resources: ["*/*"]}
  matchConditions:
  - {name: headstart, expression: request.userInfo.username == "system:serviceaccount:headstart-system:headstart"}
  validations:
  - {expression: "false", message: the storm denies it}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: storm}
spec: {policyName: storm, validationActions: [Deny]}
`

func (w *world) replicaFaults(r *replica) []fault {
	name := r.options.Name
	sources := func(behaviour string) func(context.Context) error {
		return func(context.Context) error {
			for _, p := range r.proxies {
				p.set(behaviour)
			}
			return nil
		}
	}
	return []fault{
		{
			name: name + " is killed", longest: 10 * time.Second,
			begin: func(context.Context) error { r.hold(true); r.process().Kill(); return nil },
			end:   func(context.Context) error { r.hold(false); return nil },
		},
		{
			name: name + " stands still", longest: 10 * time.Second,
			begin: func(context.Context) error { r.process().Pause(); return nil },
			end:   func(context.Context) error { r.process().Resume(); return nil },
		},
		{
			name: name + " does not reach the API server", longest: 20 * time.Second,
			begin: func(context.Context) error { r.api.Cut(); return nil },
			end:   func(context.Context) error { r.api.Restore(); return nil },
		},
		{name: name + " does not reach Prometheus", longest: 20 * time.Second, begin: sources(down), end: sources(honest)},
	}
}

// clockOffset is how far the clock of a replica is off.
const clockOffset = time.Minute

// clockFault starts a replica again with a clock that is off, and in the end with the right one.
func (w *world) clockFault(rng *rand.Rand, r *replica) fault {
	offset := clockOffset
	if rng.IntN(2) == 0 {
		offset = -clockOffset
	}
	restart := func(offset time.Duration) func(context.Context) error {
		return func(context.Context) error {
			r.setClock(offset)
			r.process().Kill() // the supervisor starts it again
			return nil
		}
	}
	return fault{
		name: fmt.Sprintf("the clock of %s is off by %s", r.options.Name, offset), longest: 40 * time.Second,
		begin: restart(offset), end: restart(0),
	}
}

// fileFault changes the file with the sources of a replica, which it reads again after 30 s.
func (w *world) fileFault(rng *rand.Rand, r *replica) fault {
	const list = "sources: [{name: %s, url: %q, namespaces: ['*']}]\n"
	path := filepath.Join(w.Dir, r.options.Name+"-sources.yaml")
	change := []struct{ name, content string }{
		{"is no YAML", "sources: [{name: default"},
		{"has no source but the rogue's", fmt.Sprintf(list, "rogue", r.options.Sources["rogue"])},
		{"names a server that is not there", fmt.Sprintf(list, "default", "http://127.0.0.1:1")},
		{"is gone", ""},
	}[rng.IntN(4)]
	var saved []byte
	return fault{
		name: "the file with the sources of " + r.options.Name + " " + change.name, longest: 60 * time.Second,
		begin: func(context.Context) error {
			var err error
			if saved, err = os.ReadFile(path); err != nil {
				return err
			}
			if change.content == "" {
				return os.Remove(path)
			}
			return os.WriteFile(path, []byte(change.content), 0o644)
		},
		end: func(context.Context) error {
			if saved == nil {
				return nil
			}
			return os.WriteFile(path, saved, 0o644)
		},
	}
}

// adminFaults are mistakes and works of an administrator.
func (w *world) adminFaults() []fault {
	var saved string
	take := func(what ...string) func(context.Context) error {
		return func(ctx context.Context) error {
			var err error
			if saved, err = w.Kubectl(ctx, nil, append([]string{"get", "-o", "yaml"}, what...)...); err != nil {
				return err
			}
			_, err = w.Kubectl(ctx, nil, append([]string{"delete"}, what...)...)
			return err
		}
	}
	giveBack := func(ctx context.Context) error {
		if saved == "" { // it was not taken, because the API server was away
			return nil
		}
		var clean []string
		for line := range strings.Lines(saved) {
			if !strings.Contains(line, "resourceVersion:") && !strings.Contains(line, "uid:") {
				clean = append(clean, line)
			}
		}
		return w.Apply(ctx, strings.Join(clean, ""))
	}
	annotate := func(ctx context.Context) error {
		_, err := w.Kubectl(ctx, nil, "annotate", "--overwrite", "crd", "forecasts.headstart.dev",
			fmt.Sprintf("storm=%d", time.Now().UnixNano()))
		return err
	}
	rotate := func(ctx context.Context) error {
		_, err := w.Kubectl(ctx, nil, "patch", "secret", "headstart-serving-cert", "-n", "headstart-system",
			"--type=json", "-p", `[{"op":"remove","path":"/data/tls.crt"},{"op":"remove","path":"/data/tls.key"}]`)
		return err
	}
	return []fault{
		{
			name: "Headstart's rights are taken away", longest: 10 * time.Second,
			begin: take("clusterrolebinding", "headstart-server"), end: giveBack,
		},
		{name: "the CRD of Forecasts changes", longest: 3 * time.Second, begin: annotate, end: nothing},
		{name: "the serving certificate is lost", longest: 10 * time.Second, begin: rotate, end: nothing},
	}
}

// sourceFault changes the behaviour of a Prometheus server, for every replica.
func (w *world) sourceFault(source, behaviour string) fault {
	set := func(behaviour string) func(context.Context) error {
		return func(context.Context) error {
			for _, r := range w.replicas {
				r.proxies[source].set(behaviour)
			}
			return nil
		}
	}
	return fault{
		name: fmt.Sprintf("Prometheus %q is %s", source, behaviour), longest: 30 * time.Second,
		tenant: source == "rogue", begin: set(behaviour), end: set(honest),
	}
}

// tenantFaults are what somebody can do who has all rights in one namespace, or runs a pod.
func (w *world) tenantFaults(r *replica) []fault {
	ctx, stop := context.WithCancel(context.Background())
	var flood sync.WaitGroup
	return []fault{
		{
			name:    "the rogue tenant creates pods with Headstart's labels, and Forecasts that are a burden",
			longest: 20 * time.Second, tenant: true,
			begin: func(ctx context.Context) error { return w.Apply(ctx, rogueYAML()) },
			end: func(ctx context.Context) error {
				_, err := w.Kubectl(ctx, nil, "delete", "-n", "rogue", "--ignore-not-found", "--wait=false",
					"-l", "storm=rogue", "pods,forecasts.headstart.dev")
				return err
			},
		},
		{
			name: "made-up tokens flood " + r.options.Name, longest: 10 * time.Second, tenant: true,
			begin: func(context.Context) error {
				for k := range 20 {
					flood.Go(func() { floodTokens(ctx, "https://"+r.process().Address, k) })
				}
				return nil
			},
			end: func(context.Context) error { stop(); flood.Wait(); return nil },
		},
	}
}

func floodTokens(ctx context.Context, address string, k int) {
	client := insecureClient()
	for i := 0; ctx.Err() == nil; i++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet,
			address+"/apis/external.metrics.k8s.io/v1beta1/namespaces/tenant-1/model-1", nil)
		if err != nil {
			return
		}
		req.Header.Set("Authorization", fmt.Sprintf("Bearer made-up-%d-%d", k, i))
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// rogueYAML has pods that look like placeholders, and Forecasts of many points with a long lead.
func rogueYAML() string {
	var all strings.Builder
	for i := range 15 {
		fmt.Fprintf(&all, `---
apiVersion: v1
kind: Pod
metadata:
  name: fake-%[1]d
  namespace: rogue
  labels: {storm: rogue, headstart.dev/role: placeholder, headstart.dev/warmpool: warm,
    headstart.dev/namespace: tenant-0, headstart.dev/forecast: model-0}
spec:
  automountServiceAccountToken: false
  containers: [{name: c, image: registry.example/model:1, resources: {requests: {cpu: 10m}}}]
---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: burden-%[1]d, namespace: rogue, labels: {storm: rogue}}
spec:
  demand:
    prometheus: {query: 'vector(%[1]d) + 100 * sin(vector(time()))', source: rogue}
    resolution: 1s
    history: 2h
    settle: 1s
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: model-0}
  leadTime: {mode: Fixed, fixed: 30m}
  capacityPerReplica: "5"
  horizon: 2h
`, i)
	}
	return all.String()
}
