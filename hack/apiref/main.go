// Apiref writes the API reference, docs/api.md, from the CRDs.
//
//	go run ./hack/apiref > docs/api.md
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

func main() {
	page, err := reference(filepath.Join("manifests", "base", "crds"))
	if err == nil {
		_, err = os.Stdout.Write(page)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "apiref:", err)
		os.Exit(1)
	}
}

// kinds are the files of the CRDs, in the order of the page.
var kinds = []string{"forecasts", "peakschedules", "calendars", "warmpools"}

// crd is the part of a CustomResourceDefinition that the page shows.
type crd struct {
	Spec struct {
		Group string `json:"group"`
		Scope string `json:"scope"`
		Names struct {
			Kind       string   `json:"kind"`
			Plural     string   `json:"plural"`
			ShortNames []string `json:"shortNames"`
		} `json:"names"`
		Versions []struct {
			Name   string `json:"name"`
			Schema struct {
				OpenAPIV3Schema schema `json:"openAPIV3Schema"`
			} `json:"schema"`
		} `json:"versions"`
	} `json:"spec"`
}

const introduction = `<!-- Written by make generate from the types in api/v1alpha1. Edit those. -->
# API reference

Every field of every kind, with its default and its limits. The API server refuses what breaks
them, and says why. A star marks a field that is required where its object is given.
For your cluster's version, ask ` + "`kubectl explain forecast.spec`" + `. [Examples](../manifests/examples).
`

// reference returns the page for the CRDs in a folder.
func reference(dir string) ([]byte, error) {
	var page bytes.Buffer
	page.WriteString(introduction)
	for _, plural := range kinds {
		file := filepath.Join(dir, "headstart.dev_"+plural+".yaml")
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var c crd
		if err := yaml.Unmarshal(data, &c); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if len(c.Spec.Versions) != 1 {
			return nil, fmt.Errorf("%s has %d versions, and the page shows one", file, len(c.Spec.Versions))
		}
		writeKind(&page, c)
	}
	return page.Bytes(), nil
}
