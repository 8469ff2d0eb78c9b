// Package oci builds Headstart's container image without a container engine: the binary, root
// certificates and licences, and nothing else.
package oci

import (
	"bytes"
	"compress/gzip"
	"encoding/pem"
	"fmt"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"

	"headstart.dev/headstart/build/archive"
	"headstart.dev/headstart/build/checkout"
)

// user is the one of the manifests: a number, so that Kubernetes can see that it is not root.
const user = "65532:65532"

// Content is what goes into an image.
type Content struct {
	Checkout checkout.Checkout
	// Platforms of the image, each with the file of its binary.
	Platforms []checkout.Platform
	Binaries  map[checkout.Platform]string
	// License is Headstart's, and Notices are those of what is linked.
	License, Notices []byte
	// Home is the address of the project.
	Home string
}

// Index returns the image for all platforms. Its digest depends on the content alone.
func (c Content) Index() (v1.ImageIndex, error) {
	data, err := c.dataLayer()
	if err != nil {
		return nil, err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range c.Platforms {
		image, err := c.image(p, data)
		if err != nil {
			return nil, fmt.Errorf("image for %s: %w", p, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.OS, Architecture: p.Arch}},
		})
	}
	return mutate.Annotations(index, c.labels()).(v1.ImageIndex), nil
}

// dataLayer holds what all platforms share. It comes first, since it changes less often.
func (c Content) dataLayer() (v1.Layer, error) {
	roots, err := rootCertificates()
	if err != nil {
		return nil, err
	}
	return layer(c.Checkout.Date,
		archive.File{Name: "etc/ssl/certs/ca-certificates.crt", Data: roots},
		archive.File{Name: "licenses/LICENSE", Data: c.License},
		archive.File{Name: "licenses/THIRD-PARTY-NOTICES.txt", Data: c.Notices},
	)
}

func (c Content) image(p checkout.Platform, data v1.Layer) (v1.Image, error) {
	program, err := layer(c.Checkout.Date, archive.File{Name: "headstart", Executable: true, Path: c.Binaries[p]})
	if err != nil {
		return nil, err
	}
	date := v1.Time{Time: c.Checkout.Date}
	history := func(what string) v1.History { return v1.History{Created: date, CreatedBy: "make image", Comment: what} }
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.Append(base,
		mutate.Addendum{Layer: data, History: history("certificates and licences"), MediaType: types.OCILayer},
		mutate.Addendum{Layer: program, History: history("headstart"), MediaType: types.OCILayer},
	)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = p.OS, p.Arch, date
	config.Config = v1.Config{
		User: user, Entrypoint: []string{"/headstart"}, Cmd: []string{"serve"}, WorkingDir: "/",
		Env: []string{"PATH=/"}, ExposedPorts: map[string]struct{}{"6443/tcp": {}}, Labels: c.labels(),
	}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return nil, err
	}
	return mutate.Annotations(image, c.labels()).(v1.Image), nil
}

// labels are the standard ones of OCI.
func (c Content) labels() map[string]string {
	const prefix = "org.opencontainers.image."
	return map[string]string{
		prefix + "title": "headstart",
		prefix + "description": "A predictive autoscaler for Kubernetes. It tells the HorizontalPodAutoscaler ahead " +
			"of time what will be needed.",
		prefix + "version":  c.Checkout.Version,
		prefix + "revision": c.Checkout.Commit,
		prefix + "created":  c.Checkout.Date.Format(time.RFC3339),
		prefix + "licenses": "Apache-2.0",
		prefix + "vendor":   "The Headstart authors",
		prefix + "url":      c.Home,
		prefix + "source":   c.Home,
	}
}

// layer compresses files.
func layer(date time.Time, files ...archive.File) (v1.Layer, error) {
	var plain bytes.Buffer
	if err := archive.Tar(&plain, date, files...); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(plain.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithCompressionLevel(gzip.BestCompression),
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}

// rootCertificates returns those of Mozilla as the file that Go reads on Linux. So they can be
// replaced by mounting another file there.
//
// A root with a constraint is trusted for older certificates only. The file cannot say that, so it
// leaves these roots out.
func rootCertificates() ([]byte, error) {
	var out bytes.Buffer
	out.WriteString("# Mozilla's root certificates, from golang.org/x/crypto/x509roots/fallback, under the Mozilla\n" +
		"# Public License 2.0: mozilla.org/MPL/2.0\n")
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}
