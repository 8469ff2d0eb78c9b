// Package rendered makes what is installed: manifests for kubectl, and the Helm chart. The version
// and the image's place are filled in.
package rendered

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"headstart.dev/headstart/build/archive"
)

// placeholder is the image's place in the repository.
const placeholder = "headstart.dev/headstart"

// Manifests are those of the repository for one version and one place of the image.
type Manifests struct {
	// Version, such as v0.1.0, and Image, without a tag.
	Version, Image string

	files map[string][]byte // by their path below manifests
}

// Read reads the folder manifests of the repository.
func Read(dir, version, image string) (Manifests, error) {
	m := Manifests{Version: version, Image: image, files: map[string][]byte{}}
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(file, ".go") {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(file)
		m.files[filepath.ToSlash(name)] = data
		return err
	})
	if err != nil {
		return Manifests{}, fmt.Errorf("read the manifests: %w", err)
	}
	return m, m.fill()
}

// The files that name the version or the image's place.
const (
	deployment = "base/deployment.yaml"
	chart      = "chart/headstart/"
)

// fill writes the version and the image's place into the files that name them.
func (m Manifests) fill() error {
	const image = "image: " + placeholder + ":"
	for _, change := range []struct{ file, line, with string }{
		{deployment, image, "image: " + m.Image + ":" + m.Version},
		{chart + "files/" + deployment, image, "image: " + m.Image + ":" + m.Version},
		{chart + "values.yaml", "repository: " + placeholder, "repository: " + m.Image},
		{chart + "Chart.yaml", "version: ", "version: " + strings.TrimPrefix(m.Version, "v")},
		{chart + "Chart.yaml", "appVersion: ", "appVersion: " + m.Version},
		{chart + "Chart.yaml", image, "image: " + m.Image + ":" + m.Version},
	} {
		lines := strings.Split(string(m.files[change.file]), "\n")
		found := 0
		for i, line := range lines {
			text := strings.TrimLeft(line, " -")
			if strings.HasPrefix(text, change.line) {
				lines[i] = line[:len(line)-len(text)] + change.with
				found++
			}
		}
		if found != 1 {
			return fmt.Errorf("manifests/%s has %d lines with %q, want one", change.file, found, change.line)
		}
		m.files[change.file] = []byte(strings.Join(lines, "\n"))
	}
	return nil
}

// variants are what is rendered: a name, and the kustomization that it is of.
var variants = []struct {
	name, resource string
	warm           bool
}{
	{"crds", "base/crds", false},
	{"prepare", "prepare", false},
	{"external-metrics", "overlays/external-metrics", false},
	{"external-metrics-warm", "overlays/external-metrics", true},
	{"custom-metrics", "overlays/custom-metrics", false},
	{"custom-metrics-warm", "overlays/custom-metrics", true},
	{"both", "overlays/both", false},
	{"both-warm", "overlays/both", true},
	{"keda", "overlays/keda", false},
	{"keda-warm", "overlays/keda", true},
	{"monitoring", "monitoring", false},
}

// Render returns manifests that kubectl applies without kustomize: each overlay, with and without
// warming, and the parts that are applied by themselves.
func (m Manifests) Render() ([]archive.File, error) {
	var files []archive.File
	for _, v := range variants {
		disk := filesys.MakeFsInMemory()
		for name, data := range m.files {
			if err := disk.WriteFile("/manifests/"+name, data); err != nil {
				return nil, fmt.Errorf("render %s: %w", v.name, err)
			}
		}
		var text bytes.Buffer
		fmt.Fprintf(&text, "resources: [../manifests/%s]\n", v.resource)
		if v.warm {
			text.WriteString("components: [../manifests/components/warm]\n")
		}
		if err := disk.WriteFile("/it/kustomization.yaml", text.Bytes()); err != nil {
			return nil, fmt.Errorf("render %s: %w", v.name, err)
		}
		options := krusty.MakeDefaultOptions()
		objects, err := krusty.MakeKustomizer(options).Run(disk, "/it")
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", v.name, err)
		}
		yaml, err := objects.AsYaml()
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", v.name, err)
		}
		header := fmt.Appendf(nil, "# Headstart %s: %s. Apply it with kubectl apply --server-side -f.\n", m.Version, v.name)
		files = append(files, archive.File{Name: "headstart-" + v.name + ".yaml", Data: append(header, yaml...)})
	}
	return files, nil
}

// Kustomizations returns the folder with the kustomizations, for overlays of one's own.
func (m Manifests) Kustomizations() []archive.File {
	return m.below("", func(name string) bool { return !strings.HasPrefix(name, "chart/") }, "manifests/")
}

// Chart returns the files of the chart's package.
func (m Manifests) Chart() []archive.File {
	return m.below(chart, func(name string) bool { return name != ".helmignore" }, "headstart/")
}

// below returns the files below a folder for which keep is true, under a new folder.
func (m Manifests) below(dir string, keep func(string) bool, under string) []archive.File {
	var files []archive.File
	for name, data := range m.files {
		if rest, ok := strings.CutPrefix(name, dir); ok && keep(rest) {
			files = append(files, archive.File{Name: under + rest, Data: data})
		}
	}
	slices.SortFunc(files, func(a, b archive.File) int { return strings.Compare(a.Name, b.Name) })
	return files
}
