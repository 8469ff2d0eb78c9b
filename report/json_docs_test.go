package report

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// Every key of the JSON form is documented.
func TestJSONIsDocumented(t *testing.T) {
	docs, err := os.ReadFile(filepath.Join("..", "docs", "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, schema, ok := strings.Cut(string(docs), "## The JSON")
	if !ok {
		t.Fatal("docs/report.md has no section on the JSON")
	}
	schema, _, _ = strings.Cut(schema, "\n## ")
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		ours := strings.HasPrefix(typ.PkgPath(), reflect.TypeFor[Report]().PkgPath())
		if typ.Kind() != reflect.Struct || !ours || seen[typ] {
			return
		}
		seen[typ] = true
		for f := range typ.Fields() {
			if f.IsExported() {
				walk(f.Type)
			}
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if key != "" && key != "-" && !strings.Contains(schema, "`"+key+"`") {
				t.Errorf("%s.%s: the key %q is not in docs/report.md", typ.Name(), f.Name, key)
			}
		}
	}
	walk(reflect.TypeFor[Report]())
}
