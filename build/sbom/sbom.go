// Package sbom writes what a binary or an image consists of, as a CycloneDX document.
package sbom

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"headstart.dev/headstart/build/checkout"
	"headstart.dev/headstart/build/notices"
)

const (
	product = "headstart"
	module  = "headstart.dev/headstart"
	license = "Apache-2.0"
)

// Binary describes a binary: the modules that it is linked with, as the Go linker has written them
// into it.
func Binary(w io.Writer, source checkout.Checkout, p checkout.Platform, data []byte, info *debug.BuildInfo,
	licences []notices.Component,
) error {
	modules, err := linked(info, licences)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	subject := cdx.Component{
		Type: cdx.ComponentTypeApplication, Name: product, Version: source.Version, Licenses: licensed(license),
		PackageURL: purl(module, source.Version) + "?goos=" + p.OS + "&goarch=" + p.Arch,
		Hashes:     &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
	}
	return write(w, source.Date, subject, modules)
}

// Image describes an image for several platforms, each with its binary.
func Image(w io.Writer, source checkout.Checkout, name, digest string, binaries []*debug.BuildInfo,
	licences []notices.Component,
) error {
	var modules []cdx.Component
	for _, info := range binaries {
		of, err := linked(info, licences)
		if err != nil {
			return err
		}
		modules = append(modules, of...)
	}
	slices.SortFunc(modules, func(a, b cdx.Component) int { return strings.Compare(a.BOMRef, b.BOMRef) })
	modules = slices.CompactFunc(modules, func(a, b cdx.Component) bool { return a.BOMRef == b.BOMRef })
	program := cdx.Component{
		Type: cdx.ComponentTypeApplication, BOMRef: purl(module, source.Version), PackageURL: purl(module, source.Version),
		Name: product, Version: source.Version, Licenses: licensed(license),
	}
	roots := cdx.Component{
		Type: cdx.ComponentTypeData, BOMRef: "mozilla-roots", Name: "Mozilla's root certificates",
		Description: "from golang.org/x/crypto/x509roots/fallback", Licenses: licensed("MPL-2.0"),
	}
	algorithm, hash, _ := strings.Cut(digest, ":")
	subject := cdx.Component{
		Type: cdx.ComponentTypeContainer, Name: name, Version: source.Version, Licenses: licensed(license),
		PackageURL: "pkg:oci/" + product + "@" + url.QueryEscape(digest) + "?repository_url=" + url.QueryEscape(name) +
			"&tag=" + source.Version,
		Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hash}},
	}
	if algorithm != "sha256" {
		return fmt.Errorf("the image has a digest of %s, want sha256", algorithm)
	}
	return write(w, source.Date, subject, append([]cdx.Component{program, roots}, modules...))
}

// linked returns the modules of a binary.
func linked(info *debug.BuildInfo, licences []notices.Component) ([]cdx.Component, error) {
	known := map[string][]string{}
	for _, c := range licences {
		known[c.Name] = c.Licenses
	}
	version := strings.TrimPrefix(info.GoVersion, "go")
	components := []cdx.Component{library("std", "v"+version, "", "BSD-3-Clause")}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		if known[m.Path] == nil {
			return nil, fmt.Errorf("%s is linked, and its licence was not collected", m.Path)
		}
		components = append(components, library(m.Path, m.Version, m.Sum, known[m.Path]...))
	}
	return components, nil
}

func library(path, version, sum string, licences ...string) cdx.Component {
	c := cdx.Component{
		Type: cdx.ComponentTypeLibrary, BOMRef: purl(path, version), Name: path, Version: version,
		PackageURL: purl(path, version), Licenses: licensed(licences...), Scope: cdx.ScopeRequired,
	}
	// go.sum has the SHA-256 of a list of the module's files.
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "h1:")); sum != "" && err == nil {
		c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(raw)}}
	}
	return c
}

func purl(path, version string) string { return "pkg:golang/" + path + "@" + url.QueryEscape(version) }

// licensed names licences. A module with several has parts under each.
func licensed(names ...string) *cdx.Licenses {
	if len(names) == 1 {
		return &cdx.Licenses{{License: &cdx.License{ID: names[0]}}}
	}
	return &cdx.Licenses{{Expression: strings.Join(names, " AND ")}}
}

// write writes the document. Its serial number follows from its content, so that it is equal each
// time.
func write(w io.Writer, date time.Time, subject cdx.Component, components []cdx.Component) error {
	subject.BOMRef = subject.PackageURL
	refs := make([]string, 0, len(components))
	for _, c := range components {
		refs = append(refs, c.BOMRef)
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Timestamp: date.Format(time.RFC3339), Component: &subject}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: subject.BOMRef, Dependencies: &refs}}
	id := sha256.Sum256([]byte(subject.BOMRef + (*subject.Hashes)[0].Value))
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // a UUID of version 8: made as its maker likes
	bom.SerialNumber = fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:16])
	return cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6)
}
