package sbom

import (
	"bytes"
	"encoding/base64"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"headstart.dev/headstart/build/checkout"
	"headstart.dev/headstart/build/notices"
)

const (
	one = "example.com/one"
	two = "example.com/two"
)

var (
	source = checkout.Checkout{Version: "v1.2.3", Date: time.Date(2026, 11, 30, 20, 16, 21, 0, time.UTC)}
	info   = &debug.BuildInfo{GoVersion: "go1.26.8", Deps: []*debug.Module{
		{Path: one, Version: "v1.0.0", Sum: "h1:" + base64.StdEncoding.EncodeToString(make([]byte, 32))},
		{Path: "example.com/old", Version: "v1.0.0", Replace: &debug.Module{Path: two, Version: "v0.0.0-1+incompatible"}},
	}}
	licences = []notices.Component{
		{Name: one, Licenses: []string{"Apache-2.0", "MIT"}}, {Name: two, Licenses: []string{"MIT"}},
	}
)

// TestImage describes an image for two platforms, whose binaries have the same modules.
func TestImage(t *testing.T) {
	const name, digest = "registry.example/team/headstart", "sha256:0123"
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := Image(out, source, name, digest, []*debug.BuildInfo{info, info}, licences); err != nil {
			t.Fatal(err)
		}
	}
	if first.String() != second.String() {
		t.Error("the document differs from one time to the other")
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(&first, cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	if c := bom.Metadata.Component; c.Name != name || c.Version != "v1.2.3" || (*c.Hashes)[0].Value != "0123" {
		t.Errorf("it describes %+v", c)
	}
	if bom.Metadata.Timestamp != "2026-11-30T20:16:21Z" || !strings.HasPrefix(bom.SerialNumber, "urn:uuid:") {
		t.Errorf("date %s, serial number %s", bom.Metadata.Timestamp, bom.SerialNumber)
	}
	var got []string
	for _, c := range *bom.Components {
		text := c.PackageURL + " " + licenseOf(c)
		if c.Hashes != nil {
			text += " " + (*c.Hashes)[0].Value
		}
		got = append(got, text)
	}
	want := []string{
		"pkg:golang/headstart.dev/headstart@v1.2.3 Apache-2.0", " MPL-2.0",
		"pkg:golang/example.com/one@v1.0.0 Apache-2.0 AND MIT " + strings.Repeat("0", 64),
		"pkg:golang/example.com/two@v0.0.0-1%2Bincompatible MIT", "pkg:golang/std@v1.26.8 BSD-3-Clause",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if refs := (*bom.Dependencies)[0].Dependencies; len(*refs) != len(want) {
		t.Errorf("it depends on %q", *refs)
	}
}

func licenseOf(c cdx.Component) string {
	if l := (*c.Licenses)[0]; l.License != nil {
		return l.License.ID
	}
	return (*c.Licenses)[0].Expression
}

// TestUnknownLicence: what is linked without a licence is not passed on.
func TestUnknownLicence(t *testing.T) {
	err := Binary(&bytes.Buffer{}, source, checkout.Platform{OS: "linux", Arch: "amd64"}, nil, info, licences[1:])
	if err == nil || !strings.Contains(err.Error(), one+" is linked, and its licence was not collected") {
		t.Errorf("error %v", err)
	}
}
