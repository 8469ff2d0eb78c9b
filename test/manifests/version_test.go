package manifests_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/test/binaries"
)

// TestOneVersion checks that the binary and the image of the manifests have the chart's version. A
// release changes the version in one place, and this test names the others.
func TestOneVersion(t *testing.T) {
	t.Setenv("VERSION", "") // of the build
	var c struct {
		Version, AppVersion string
		Annotations         map[string]string
	}
	if err := yaml.Unmarshal(read(t, chart+"/Chart.yaml"), &c); err != nil {
		t.Fatal(err)
	}
	if c.AppVersion == "" || c.AppVersion != "v"+c.Version {
		t.Errorf("the chart is %q of %q", c.Version, c.AppVersion)
	}
	var d appsv1.Deployment
	if err := yaml.Unmarshal(read(t, repository+"/manifests/base/deployment.yaml"), &d); err != nil {
		t.Fatal(err)
	}
	if image := d.Spec.Template.Spec.Containers[0].Image; !strings.HasSuffix(image, ":"+c.AppVersion) {
		t.Errorf("the image is %s, and the chart is of %s", image, c.AppVersion)
	}
	images, want := c.Annotations["artifacthub.io/images"], "image: headstart.dev/headstart:"+c.AppVersion+"\n"
	if !strings.Contains(images, want) {
		t.Errorf("Chart.yaml lists the images\n%swant %s", images, want)
	}
	layout, err := binaries.FindLayout()
	if err != nil {
		t.Fatal(err)
	}
	if err := layout.Headstart(t.Context(), os.Stderr); err != nil {
		t.Fatal(err)
	}
	for name, argument := range map[string]string{"headstart": "version", "flag": "--version"} {
		out, err := exec.CommandContext(t.Context(), filepath.Join(layout.Bin, "headstart"), argument).Output()
		if want := "headstart version " + c.AppVersion + " (commit "; err != nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("%s: %q, %v; want %q first", name, out, err, want)
		}
	}
}
