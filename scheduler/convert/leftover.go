package convert

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// shape says which fields of an object are read. Lists have the shape of their items, and a nil shape is read as a whole.
type shape map[string]shape

func fields(names ...string) shape {
	s := shape{}
	for _, name := range names {
		s[name] = nil
	}
	return s
}

// with adds a field of its own shape.
func (s shape) with(name string, inner shape) shape {
	s[name] = inner
	return s
}

// leftovers notes the fields of spec that nobody reads, so that nothing is lost in silence. Those below a path of said are named
// elsewhere.
func (s *source) leftovers(read shape, said ...string) {
	var object struct {
		Spec any `json:"spec"`
	}
	if err := json.Unmarshal(s.raw, &object); err != nil {
		return // whoever reads the fields has said so
	}
	left := slices.DeleteFunc(unread(object.Spec, read, "spec"), func(path string) bool {
		return slices.ContainsFunc(said, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
	})
	if len(left) > 0 {
		s.note("not carried over, for nothing here says the same: %s", strings.Join(left, ", "))
	}
}

func unread(value any, read shape, path string) []string {
	if read == nil {
		return nil
	}
	var left []string
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			inner, known := read[name]
			if !known {
				left = append(left, path+"."+name)
				continue
			}
			left = append(left, unread(v[name], inner, path+"."+name)...)
		}
	case []any:
		for i, item := range v {
			left = append(left, unread(item, read, fmt.Sprintf("%s[%d]", path, i))...)
		}
	}
	return left
}
