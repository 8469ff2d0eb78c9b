package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"headstart.dev/headstart/build/checkout"
	"headstart.dev/headstart/build/notices"
	"headstart.dev/headstart/build/oci"
)

// layoutFolder is where the image for all platforms is.
func layoutFolder(dist string) string { return filepath.Join(dist, "image") }

// tag returns the full name of the image.
func (o options) tag() (name.Tag, error) {
	tag, err := name.NewTag(o.image+":"+o.version, name.WithDefaultRegistry(""))
	const want = "IMAGE is a repository without a tag, such as registry.example/team/headstart"
	if err != nil {
		return name.Tag{}, fmt.Errorf("%s: %w", want, err)
	}
	if tag.RegistryStr() == "" {
		return name.Tag{}, fmt.Errorf("%q has no registry: %s", o.image, want)
	}
	return tag, nil
}

// makeImage builds the binaries, and writes the image as a layout and as an archive for each
// platform.
func makeImage(ctx context.Context, out io.Writer, source checkout.Checkout, o options) error {
	platforms, err := checkout.ParsePlatforms(o.platforms)
	if err != nil {
		return err
	}
	tag, err := o.tag()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "headstart-image-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binaries := map[checkout.Platform]string{}
	for _, p := range platforms {
		binaries[p] = filepath.Join(dir, p.OS+"-"+p.Arch)
		fmt.Fprintf(out, "building headstart for %s\n", p)
		if err := source.Build(ctx, p, binaries[p]); err != nil {
			return err
		}
	}
	components, err := licences(ctx, source, platforms)
	if err != nil {
		return err
	}
	content := oci.Content{Checkout: source, Platforms: platforms, Binaries: binaries, Home: o.home}
	if content.License, err = os.ReadFile(source.File("LICENSE")); err != nil {
		return err
	}
	var page bytes.Buffer
	if err := notices.Write(&page, components); err != nil {
		return err
	}
	content.Notices = page.Bytes()
	_, err = writeImage(out, content, o.dist, tag)
	return err
}

// licences returns those of everything that is linked on the platforms.
func licences(ctx context.Context, source checkout.Checkout, on []checkout.Platform) ([]notices.Component, error) {
	packages, err := source.Packages(ctx, on...)
	if err != nil {
		return nil, err
	}
	goLicense, err := source.GoLicense(ctx)
	if err != nil {
		return nil, err
	}
	return notices.Collect(packages, goLicense)
}

// writeImage writes the image as a layout and as an archive for each platform, and returns its
// digest.
func writeImage(out io.Writer, content oci.Content, dir string, tag name.Tag) (string, error) {
	index, err := content.Index()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := oci.WriteLayout(layoutFolder(dir), index, tag); err != nil {
		return "", err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return "", err
	}
	for _, d := range manifest.Manifests {
		image, err := index.Image(d.Digest)
		if err != nil {
			return "", err
		}
		file := filepath.Join(dir, archiveName(content.Checkout.Version, *d.Platform))
		if err := oci.WriteArchive(file, content.Checkout.Date, image, *d.Platform, tag); err != nil {
			return "", err
		}
		fmt.Fprintf(out, "%s\n", file)
	}
	digest, err := index.Digest()
	if err != nil {
		return "", err
	}
	fmt.Fprintf(out, "%s\n%s@%s\n", layoutFolder(dir), tag, digest)
	return digest.String(), nil
}

// archiveName returns the name of the file with the image of a platform.
func archiveName(version string, p v1.Platform) string {
	return fmt.Sprintf("headstart-image_%s_%s_%s.tar", version, p.OS, p.Architecture)
}

// pushImage pushes the image that makeImage has written.
func pushImage(ctx context.Context, out io.Writer, source checkout.Checkout, o options) error {
	tag, err := o.tag()
	if err != nil {
		return err
	}
	if tag.RegistryStr() == "headstart.dev" {
		return fmt.Errorf("no registry serves %s: say where to push, with IMAGE=registry.example/team/headstart", tag)
	}
	index, err := oci.ReadLayout(layoutFolder(o.dist))
	if err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	const version = "org.opencontainers.image.version"
	if got := manifest.Annotations[version]; got != source.Version {
		return fmt.Errorf("the image in %s is of %s, not of %s: run make image", layoutFolder(o.dist), got, source.Version)
	}
	if err := oci.Push(ctx, index, tag, remote.DefaultTransport); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s@%s\n", tag, digest)
	return nil
}
