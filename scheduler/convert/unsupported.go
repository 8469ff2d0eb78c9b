package convert

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// fieldSet has the fields of an object that a conversion reads. A nil set stands for a value that
// is read as a whole. The set of a list is that of its items.
type fieldSet map[string]fieldSet

// fields returns a set of fields that are read as a whole.
func fields(names ...string) fieldSet {
	s := fieldSet{}
	for _, name := range names {
		s[name] = nil
	}
	return s
}

// with adds a field and the fields within it.
func (s fieldSet) with(name string, inner fieldSet) fieldSet {
	s[name] = inner
	return s
}

// noteUnsupported notes the fields of spec that the conversion does not read, so that nothing is
// lost silently. It leaves out the fields whose paths begin with one of noted: other notes are
// about them.
func (s *source) noteUnsupported(read fieldSet, noted ...string) {
	var object struct {
		Spec any `json:"spec"`
	}
	if err := json.Unmarshal(s.raw, &object); err != nil {
		return // the conversion itself returns this error
	}
	paths := slices.DeleteFunc(unsupported(object.Spec, read, "spec"), func(path string) bool {
		return slices.ContainsFunc(noted, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
	})
	if len(paths) > 0 {
		s.note("not converted, because there is no equivalent: %s", strings.Join(paths, ", "))
	}
}

// unsupported returns the paths of the fields in value that are not in read.
func unsupported(value any, read fieldSet, path string) []string {
	if read == nil {
		return nil
	}
	var paths []string
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			inner, known := read[name]
			if !known {
				paths = append(paths, path+"."+name)
				continue
			}
			paths = append(paths, unsupported(v[name], inner, path+"."+name)...)
		}
	case []any:
		for i, item := range v {
			paths = append(paths, unsupported(item, read, fmt.Sprintf("%s[%d]", path, i))...)
		}
	}
	return paths
}
