package main

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/build/checkout"
)

func TestChangelog(t *testing.T) {
	got := changelog("v0.2.0", "2026-11-30", "v0.1.0", []string{
		"planner: read a thing", "Say it in words: with a colon", "adapter/certs: rotate", "planner/plan: round up",
		"Merge it",
	})
	want := `# Headstart v0.2.0 (2026-11-30)

Changes since v0.1.0.

## adapter

- rotate

## planner

- read a thing
- round up

## other

- Say it in words: with a colon
- Merge it
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestKrew: krew finds the archive and the binary of each platform.
func TestKrew(t *testing.T) {
	data, err := krewManifest("v0.2.0", "https://headstart.example", []krewArchive{
		{checkout.Platform{OS: "linux", Arch: "arm64"}, "a.tar.gz", "12"},
		{checkout.Platform{OS: "windows", Arch: "amd64"}, "b.zip", "34"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Kind     string
		Metadata struct{ Name string }
		Spec     struct {
			Version, ShortDescription string
			Platforms                 []krewPlatform
		}
	}
	if err := yaml.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Kind != "Plugin" || got.Metadata.Name != "headstart" || got.Spec.Version != "v0.2.0" ||
		len(got.Spec.ShortDescription) > 50 {
		t.Errorf("the manifest is\n%s", data)
	}
	for i, want := range []string{
		"linux arm64 https://headstart.example/releases/download/v0.2.0/a.tar.gz 12 headstart",
		"windows amd64 https://headstart.example/releases/download/v0.2.0/b.zip 34 headstart.exe",
	} {
		p := got.Spec.Platforms[i]
		labels := p.Selector.MatchLabels
		if text := strings.Join([]string{labels["os"], labels["arch"], p.URI, p.SHA256, p.Bin}, " "); text != want {
			t.Errorf("got %q, want %q", text, want)
		}
	}
}

func TestImageName(t *testing.T) {
	for image, want := range map[string]string{
		"registry.example/team/headstart":      "",
		"localhost:5000/headstart":             "",
		"team/headstart":                       "has no registry",
		"registry.example/team/headstart:v1":   "without a tag",
		"registry.example/team/Headstart":      "without a tag",
		"registry.example/team/headstart@sha2": "without a tag",
	} {
		_, err := options{image: image, version: "v1.2.3"}.tag()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", image, err, want)
		}
	}
}

func TestPackageOf(t *testing.T) {
	known := map[string]string{"k8s.io/api/core/v1": "k8s.io/api", "gopkg.in/inf.v0": "gopkg.in/inf.v0", "fmt": "std"}
	for symbol, want := range map[string]string{
		"k8s.io/api/core/v1.(*Pod).Marshal":   "k8s.io/api/core/v1",
		"type:*k8s.io/api/core/v1.Pod":        "k8s.io/api/core/v1",
		"gopkg.in/inf%2ev0.(*Dec).Add":        "gopkg.in/inf.v0",
		"fmt.Fprintf":                         "fmt",
		"k8s.io/api/core/v1.f[go.shape.*a.b]": "k8s.io/api/core/v1",
		"runtime.pclntab":                     "",
	} {
		if got := packageOf(symbol, known); got != want {
			t.Errorf("%s: got %q, want %q", symbol, got, want)
		}
	}
}

// TestCommands: a mistake on the command line is said, before anything is built.
func TestCommands(t *testing.T) {
	for args, want := range map[string]string{
		"":                                   "no command",
		"image -version=1.0":                 "is not one such as v0.1.0",
		"paint -version=v1.0.0":              "there is no command",
		"image -version=v1.0.0 -platforms=a": "is not one such as linux/amd64",
		"push -version=v1.0.0":               "no registry serves",
		"image -version=v1.0.0 -image=a/b:c": "without a tag",
		"push -version=v1.0.0 -image=a.b/c -dist=/nonexistent": "make it with make image",
	} {
		err := build(t.Context(), &strings.Builder{}, strings.Fields(args))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", args, err, want)
		}
	}
}
