// Package manifest reads the objects of manifest files. A file is YAML with any number of
// documents, or JSON. It may have Lists, as kubectl prints them.
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

// maxBytes bounds the memory for a file. It is more than any real file of manifests has.
const maxBytes = 64 << 20

// maxDocuments bounds the time for a file: opening a document takes a while, however short it is.
// It is more than any real file of manifests has.
const maxDocuments = 100_000

// Object is one object of a file.
type Object struct {
	APIVersion string
	Kind       string
	Name       string
	Namespace  string
	// Raw is the whole object as JSON.
	Raw []byte
}

// Group returns the API group without the version. It is empty for the core group.
func (o Object) Group() string {
	group, _, found := strings.Cut(o.APIVersion, "/")
	if !found {
		return ""
	}
	return group
}

// Decode decodes the object as the API server does: field names are case-sensitive, and an unknown
// field is an error.
func (o Object) Decode(into any) error {
	unknown, err := kubejson.UnmarshalStrict(o.Raw, into)
	return errors.Join(append(unknown, Readable(err))...)
}

// Read returns the objects of a file in their order, including those in Lists. Empty documents are
// skipped. An error names the document by its number, from 1 on.
func Read(r io.Reader) ([]Object, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the file: %w", err)
	}
	if len(text) > maxBytes {
		return nil, fmt.Errorf("the file is larger than %d MiB: split it", maxBytes>>20)
	}
	documents := split(bytes.TrimPrefix(text, []byte("\ufeff")))
	if len(documents) > maxDocuments {
		return nil, fmt.Errorf("the file has %d documents: split it into files of at most %d", len(documents), maxDocuments)
	}
	var all []Object
	for i, document := range documents {
		raw, err := yaml.YAMLToJSONStrict(document)
		if err != nil {
			return nil, fmt.Errorf("document %d is not YAML: %w", i+1, err)
		}
		objects, err := objectsOf(raw, 0)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}

// split divides a stream into documents. What follows the marker "---" on its line belongs to the
// document.
func split(text []byte) [][]byte {
	var documents [][]byte
	var document []byte
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		line := lines.Bytes()
		content, ok := bytes.CutPrefix(line, []byte("---"))
		if ok && (len(content) == 0 || content[0] == ' ' || content[0] == '\t') {
			documents = append(documents, document)
			document, line = nil, content
		}
		document = append(append(document, line...), '\n')
	}
	return append(documents, document)
}

// maxListDepth is how many Lists may be nested in each other.
const maxListDepth = 8

// objectsOf returns the object of a document, or the items of a List. depth is the number of Lists
// around it.
func objectsOf(raw []byte, depth int) ([]Object, error) {
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
	if depth == maxListDepth {
		return nil, fmt.Errorf("this is not a manifest: more than %d Lists are nested in each other", maxListDepth)
	}
	var all []Object
	for i, item := range head.Items {
		objects, err := objectsOf(item, depth+1)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}
