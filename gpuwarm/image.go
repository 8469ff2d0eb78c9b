package gpuwarm

import (
	"path"
	"strings"

	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"
)

// Image is an image with all its names. Make one with [ImageOf].
type Image struct{ names []imageName }

// imageName is a normalised name, and the suffix that all other spellings of it share.
type imageName struct{ full, suffix string }

// ImageOf returns the image with the given names, as pods have them. Empty names are ignored.
func ImageOf(names ...string) Image {
	var i Image
	for _, name := range names {
		if name != "" {
			full := normalise(name)
			i.names = append(i.names, imageName{full, suffixOf(full)})
		}
	}
	return i
}

// ListedOn reports whether the node lists the image. By default a kubelet lists its 50 largest
// images only, and the image of a model server is among them.
func (i Image) ListedOn(node *corev1.Node) bool {
	for _, listed := range node.Status.Images {
		for _, name := range listed.Names {
			for _, n := range i.names {
				if n.matches(name) {
					return true
				}
			}
		}
	}
	return false
}

// HasImage reports whether the node lists the image with this name. For many nodes, make an [Image]
// once instead.
func HasImage(node *corev1.Node, image string) bool { return ImageOf(image).ListedOn(node) }

// matches reports whether a listed name means this image. Thousands of nodes list fifty images with
// two names each, so it normalises only names with the right suffix: see BenchmarkImageOn.
func (n imageName) matches(listed string) bool {
	if listed == n.full {
		return true
	}
	return n.suffix != "" && strings.HasSuffix(strings.TrimSuffix(listed, ":latest"), n.suffix) &&
		normalise(listed) == n.full
}

// suffixOf is what every spelling of a full name ends with: its digest, or the last part of the
// repository with the tag. The tag latest is left out, since names may omit it.
func suffixOf(full string) string {
	if _, digest, pinned := strings.Cut(full, "@"); pinned {
		return digest
	}
	return strings.TrimSuffix(full[strings.LastIndexByte(full, '/')+1:], ":latest")
}

// normalise returns the full form of a reference, as container runtimes do: "nginx" is
// docker.io/library/nginx:latest. With a digest the tag is dropped, because runtimes pull and list
// what the digest names. An invalid reference is returned as it is.
func normalise(ref string) string {
	named, err := reference.ParseDockerRef(ref)
	if err != nil {
		return ref
	}
	return named.String()
}

// Rewritten reports whether admission may have rewritten the name from to the name to: to that of a
// mirror, which has the same last part of the repository and the same tag or digest, or from a tag
// to its digest. Another tag or another digest is another image.
func Rewritten(from, to string) bool {
	if from == to {
		return true
	}
	a, errFrom := reference.ParseDockerRef(from)
	b, errTo := reference.ParseDockerRef(to)
	if errFrom != nil || errTo != nil || path.Base(a.Name()) != path.Base(b.Name()) {
		return false
	}
	digestFrom, hadDigest := a.(reference.Digested)
	digestTo, hasDigest := b.(reference.Digested)
	switch {
	case hadDigest:
		return hasDigest && digestFrom.Digest() == digestTo.Digest()
	case hasDigest:
		return true
	}
	return a.(reference.Tagged).Tag() == b.(reference.Tagged).Tag()
}
