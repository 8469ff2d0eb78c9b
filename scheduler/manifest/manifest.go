// Package manifest reads the objects of manifest files: YAML of any number of documents, JSON, and Lists as kubectl prints them.
package manifest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	kubejson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// maxBytes is more than any file of manifests has, and less than what a machine cannot hold.
const maxBytes = 64 << 20

// mostDocuments is more than any file of manifests has, and not so many that opening them one by one takes its time.
const mostDocuments = 100_000

// Object is one object of a file.
type Object struct {
	APIVersion string
	Kind       string
	Name       string
	Namespace  string
	// Raw is the object as JSON.
	Raw []byte
}

// Group returns the API group, without the version; empty for the core group.
func (o Object) Group() string {
	group, _, found := strings.Cut(o.APIVersion, "/")
	if !found {
		return ""
	}
	return group
}

// Decode reads the object as the API server does: the case of a field's name matters, and an unknown field is an error.
func (o Object) Decode(into any) error {
	unknown, err := kubejson.UnmarshalStrict(o.Raw, into)
	return errors.Join(append(unknown, Readable(err))...)
}

// Read returns the objects of a file in their order, those of Lists among them. Empty documents are left out. The error names the
// document, counted from 1.
func Read(r io.Reader) ([]Object, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the file: %w", err)
	}
	if len(text) > maxBytes {
		return nil, fmt.Errorf("the file is larger than %d MiB: split it", maxBytes>>20)
	}
	documents := split(bytes.TrimPrefix(text, []byte("\ufeff")))
	if len(documents) > mostDocuments {
		return nil, fmt.Errorf("the file has %d documents: split it into files of at most %d", len(documents), mostDocuments)
	}
	var all []Object
	for i, document := range documents {
		raw, err := yaml.YAMLToJSONStrict(document)
		if err != nil {
			return nil, fmt.Errorf("document %d is not YAML: %w", i+1, err)
		}
		objects, err := open(raw, 0)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}

// split cuts a stream at the lines that begin a document. What follows the marker on its line belongs to the document.
func split(text []byte) [][]byte {
	var documents [][]byte
	var document []byte
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		line := lines.Bytes()
		if rest, ok := bytes.CutPrefix(line, []byte("---")); ok && (len(rest) == 0 || rest[0] == ' ' || rest[0] == '\t') {
			documents = append(documents, document)
			document, line = nil, rest
		}
		document = append(append(document, line...), '\n')
	}
	return append(documents, document)
}

// mostLists is how deep Lists may hold Lists.
const mostLists = 8

func open(raw []byte, depth int) ([]Object, error) {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil, nil
	}
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"metadata"`
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, fmt.Errorf("this is not a manifest: %w", Readable(err))
	}
	if head.Kind == "" {
		return nil, errors.New("this is not a manifest: it has no kind")
	}
	if !strings.HasSuffix(head.Kind, "List") {
		return []Object{{head.APIVersion, head.Kind, head.Metadata.Name, head.Metadata.Namespace, raw}}, nil
	}
	if depth == mostLists {
		return nil, errors.New("this is not a manifest: Lists hold Lists without end")
	}
	var all []Object
	for i, item := range head.Items {
		objects, err := open(item, depth+1)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}
