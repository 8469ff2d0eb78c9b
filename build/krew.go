package main

import (
	"fmt"

	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/build/checkout"
)

// krewPlatform is where krew finds the plugin for a platform.
type krewPlatform struct {
	Selector krewSelector `json:"selector"`
	URI      string       `json:"uri"`
	SHA256   string       `json:"sha256"`
	Bin      string       `json:"bin"`
}

type krewSelector struct {
	MatchLabels map[string]string `json:"matchLabels"`
}

// krewArchive is the archive of a platform.
type krewArchive struct {
	platform     checkout.Platform
	name, sha256 string
}

// krewManifest describes the kubectl plugin to krew. Krew unpacks the archive with the binary, and
// links to it by the plugin's name.
func krewManifest(version, home string, archives []krewArchive) ([]byte, error) {
	platforms := make([]krewPlatform, 0, len(archives))
	for _, a := range archives {
		platforms = append(platforms, krewPlatform{
			Selector: krewSelector{map[string]string{"os": a.platform.OS, "arch": a.platform.Arch}},
			URI:      fmt.Sprintf("%s/releases/download/%s/%s", home, version, a.name),
			SHA256:   a.sha256, Bin: a.platform.Executable("headstart"),
		})
	}
	data, err := yaml.Marshal(map[string]any{
		"apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
		"kind":       "Plugin",
		"metadata":   map[string]string{"name": "headstart"},
		"spec": map[string]any{
			"version": version, "homepage": home, "shortDescription": "Look at forecasts of demand, and replay them",
			"description": "Shows the Forecasts, peaks and starts of services that Headstart scales ahead of their\n" +
				"demand, and replays a history of demand: what it would have served, cost and missed.\n",
			"platforms": platforms,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("write the krew manifest: %w", err)
	}
	return data, nil
}
