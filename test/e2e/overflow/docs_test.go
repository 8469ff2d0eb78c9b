package overflow

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

// TestDocs does what docs/overflow.md says, as a new user with two clusters does: the page's
// commands in their order, and its files. At the end, munich plans what does not fit into
// frankfurt.
func TestDocs(t *testing.T) {
	u := newUser(t)
	for _, b := range pageBlocks(t, "Set it up") {
		switch {
		case b.language == "yaml" && strings.HasPrefix(b.text, "clusters:"):
			u.save(t, "clusters.yaml", b.text)
		case b.language == "yaml":
			u.save(t, "forecast.yaml", b.text)
		case strings.Contains(b.text, "create secret"):
			u.shell(t, b.text)
			u.serve(t, &u.munich, "--clusters-config="+u.mount(t))
		case strings.Contains(b.text, "headstart status"):
			u.awaitRead(t)
			out := u.shell(t, b.text)
			if !strings.Contains(out, "planned for here") || !strings.Contains(out, "cluster frankfurt") {
				t.Errorf("the status says nothing of the overflow:\n%s", out)
			}
		default:
			u.shell(t, b.text)
		}
	}
	u.checkShares(t)
}

// block is a piece of code of a page.
type block struct{ language, text string }

// pageBlocks returns the blocks of a section of docs/overflow.md.
func pageBlocks(t *testing.T, section string) (out []block) {
	t.Helper()
	_, after, found := strings.Cut(read(t, "docs/overflow.md"), "\n## "+section+"\n")
	if !found {
		t.Fatalf("docs/overflow.md has no section %q", section)
	}
	text, _, _ := strings.Cut(after, "\n## ")
	for _, m := range regexp.MustCompile("(?sm)^( *)```(\\w+)\n(.*?)```").FindAllStringSubmatch(text, -1) {
		out = append(out, block{m[2], strings.ReplaceAll("\n"+m[3], "\n"+m[1], "\n")[1:]})
	}
	if len(out) < 7 {
		t.Fatalf("section %q has %d blocks", section, len(out))
	}
	return out
}

// site is a cluster of the user, in which Headstart is installed.
type site struct {
	*controlplane.ControlPlane
	port      int
	headstart *harness.Headstart
}

// user is somebody with a shell in a directory that has the repository's manifests, and an
// administrator of both clusters.
type user struct {
	dir               string
	frankfurt, munich site
}

func newUser(t *testing.T) *user {
	t.Helper()
	u := &user{dir: t.TempDir()}
	bin := filepath.Join(u.dir, "bin")
	links := map[string]string{
		filepath.Join(u.dir, "manifests"):       filepath.Join(env.layout.Root, "manifests"),
		filepath.Join(bin, "kubectl"):           filepath.Join(env.layout.Bin, "kubectl"),
		filepath.Join(bin, "kubectl-headstart"): filepath.Join(env.layout.Bin, "headstart"),
	}
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for link, to := range links {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	config := clientcmdapi.NewConfig()
	for name, s := range map[string]*site{"frankfurt": &u.frankfurt, "munich": &u.munich} {
		s.start(t)
		own, err := clientcmd.LoadFromFile(s.Kubeconfig)
		if err != nil {
			t.Fatal(err)
		}
		of := own.Contexts[own.CurrentContext]
		config.Clusters[name], config.AuthInfos[name] = own.Clusters[of.Cluster], own.AuthInfos[of.AuthInfo]
		config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	}
	config.CurrentContext = "frankfurt"
	if err := clientcmd.WriteToFile(*config, filepath.Join(u.dir, "kubeconfig")); err != nil {
		t.Fatal(err)
	}
	if err := u.frankfurt.Apply(t.Context(), workloadYAML+forecastYAML); err != nil {
		t.Fatal(err)
	}
	if err := u.munich.Apply(t.Context(), workloadYAML); err != nil {
		t.Fatal(err)
	}
	u.serve(t, &u.frankfurt)
	return u
}

// workloadYAML is what the user has in both clusters.
const workloadYAML = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: face-fusion, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: face-fusion}}
  template:
    metadata: {labels: {app: face-fusion}}
    spec: {containers: [{name: model, image: example.com/model:1}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: face-fusion, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: face-fusion}
  maxReplicas: 8
  metrics:
  - {type: External, external: {metric: {name: face-fusion}, target: {type: AverageValue, averageValue: "5"}}}
`

// forecastYAML is a Forecast with a peak at any time, of which 8 replicas of 5 are two thirds.
const forecastYAML = `---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: face-fusion, namespace: shop}
spec:
  unit: requests/s
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: face-fusion}
  provisionFor: {serviceLevel: "0.99"}
---
apiVersion: headstart.dev/v1alpha1
kind: PeakSchedule
metadata: {name: always, namespace: shop}
spec:
  timeZone: UTC
  forecastRefs: [{name: face-fusion}]
  windows: [{name: day, schedule: "0 0 * * *", duration: 24h, demand: {atLeast: "60"}}]
`

// start starts a cluster, and installs Headstart with the component that the page names.
func (s *site) start(t *testing.T) {
	t.Helper()
	opts := controlplane.DefaultOptions(env.layout.Bin)
	opts.StateRoot, opts.Log, opts.HPASyncPeriod = t.TempDir(), io.Discard, hpaSync
	var err error
	if s.ControlPlane, err = controlplane.Start(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	ports, err := controlplane.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	s.port = ports[0]
	if err := harness.Install(t.Context(), s.ControlPlane, env.layout, "both", s.port, "overflow"); err != nil {
		t.Fatal(err)
	}
}

// serve runs Headstart in a cluster: the pods that the manifests make only pretend to run.
func (u *user) serve(t *testing.T, s *site, args ...string) {
	t.Helper()
	o := harness.CompressedTime("headstart", s.port, map[string]string{"default": "http://127.0.0.1:1"}) // nobody asks
	o.HPASync, o.Args = hpaSync, args
	var err error
	if s.headstart, err = harness.Serve(t.Context(), s.ControlPlane, env.layout, o); err != nil {
		t.Fatal(err)
	}
	if err := s.headstart.AwaitReady(t.Context(), 3*time.Minute); err != nil {
		t.Fatal(err)
	}
}

func (u *user) save(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(u.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// shell runs a block of the page.
func (u *user) shell(t *testing.T, text string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-e", "-c", text)
	cmd.Dir = u.dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(u.dir, "bin")+":"+os.Getenv("PATH"),
		"KUBECONFIG="+filepath.Join(u.dir, "kubeconfig"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s\n%s", err, text, out)
	}
	t.Logf("%s\n%s", text, out)
	return string(out)
}

// mount writes the Secret that the user made as the kubelet does, and returns the configuration
// file.
func (u *user) mount(t *testing.T) string {
	t.Helper()
	secret, err := u.munich.Client.CoreV1().Secrets(harness.Namespace).Get(t.Context(), "headstart-clusters",
		metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range secret.Data {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "clusters.yaml")
}

// awaitRead waits until munich plans what does not fit into frankfurt: 20 of 60.
func (u *user) awaitRead(t *testing.T) {
	t.Helper()
	read := func(f *harness.Forecast) bool {
		planned, _ := f.Status.Plan.At(time.Now())
		return f.Condition("OverflowRead").Reason == "Read" && harness.Ready(f) && planned == 20
	}
	_, err := harness.AwaitForecast(t.Context(), u.munich.ControlPlane, "shop", "face-fusion", 2*time.Minute, read)
	if err != nil {
		t.Fatalf("%v\nthe end of the log:\n%s", err, u.munich.headstart.Tail())
	}
}

// checkShares asks for the planned shares with the right that the page gives to a gateway.
func (u *user) checkShares(t *testing.T) {
	t.Helper()
	command := regexp.MustCompile("(?s)```sh\n(kubectl create clusterrole .*?)```")
	found := command.FindStringSubmatch(read(t, "docs/overflow.md"))
	if found == nil {
		t.Fatal("the page gives no right to read the shares")
	}
	u.shell(t, found[1])
	u.shell(t, "kubectl create serviceaccount gateway -n shop && kubectl create clusterrolebinding gateway "+
		"--clusterrole=headstart-shares-shop --serviceaccount=shop:gateway")
	token, err := u.frankfurt.Token(t.Context(), "shop", "gateway")
	if err != nil {
		t.Fatal(err)
	}
	var shares struct {
		Now struct{ Here, Overflow float64 } `json:"now"`
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		status, body := u.get(t, "/overflow/v1/namespaces/shop/forecasts/face-fusion", token)
		err := json.Unmarshal(body, &shares)
		if status == http.StatusOK && err == nil && shares.Now.Overflow > 0.33 && shares.Now.Here < 0.67 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the shares are %d %s", status, body)
		}
	}
	status, _ := u.get(t, "/overflow/v1/namespaces/other/forecasts/face-fusion", token)
	if status != http.StatusForbidden {
		t.Errorf("another namespace is answered with %d, want that it is forbidden", status)
	}
}

// get asks Headstart in frankfurt.
func (u *user) get(t *testing.T, path, token string) (status int, body []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		"https://"+u.frankfurt.headstart.Address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // its certificate is not the subject
	}}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err = io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, body
}
