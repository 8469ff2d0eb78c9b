package gpuwarm

import (
	"path"
	"strings"

	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"
)

// Image is an image by all names that it goes by.
type Image struct{ names []imageName }

// imageName is a name spelled out, and what every other spelling of it ends with.
type imageName struct{ full, ending string }

// ImageOf takes names as pods give them. Empty ones name nothing.
func ImageOf(names ...string) Image {
	var i Image
	for _, name := range names {
		if name != "" {
			full := normalImage(name)
			i.names = append(i.names, imageName{full, endingOf(full)})
		}
	}
	return i
}

// On is whether the node lists the image. A kubelet lists the 50 largest images only unless it is told otherwise, which a model server's image is among.
func (i Image) On(node *corev1.Node) bool {
	for _, listed := range node.Status.Images {
		for _, name := range listed.Names {
			for _, n := range i.names {
				if n.is(name) {
					return true
				}
			}
		}
	}
	return false
}

// HasImage is whether the node lists the image, by the name that a pod gives it. Whoever asks for many nodes makes one [Image] for all of them.
func HasImage(node *corev1.Node, image string) bool { return ImageOf(image).On(node) }

// is whether a name that is listed is this one. Nodes by the thousand list fifty images each by two names, so only those are spelled out that can be this one: see
// BenchmarkImageOn.
func (n imageName) is(listed string) bool {
	return listed == n.full || (n.ending != "" && strings.HasSuffix(strings.TrimSuffix(listed, ":latest"), n.ending) && normalImage(listed) == n.full)
}

// endingOf is what every spelling of a full name ends with: its digest, or the last part of its repository with the tag, which may be left out where it is latest.
func endingOf(full string) string {
	if _, digest, pinned := strings.Cut(full, "@"); pinned {
		return digest
	}
	return strings.TrimSuffix(full[strings.LastIndexByte(full, '/')+1:], ":latest")
}

// normalImage spells a reference out as container runtimes do: "nginx" is docker.io/library/nginx:latest. Of a reference with a digest the tag says nothing: they pull, and
// list, what the digest names. What is no reference is its own name.
func normalImage(ref string) string {
	named, err := reference.ParseDockerRef(ref)
	if err != nil {
		return ref
	}
	return named.String()
}

// Rewritten is whether one name may be what admission made of another: a mirror's, which has the last part of the repository and the tag or the digest in common, or the
// digest of a tag. Another tag or another digest is another image.
func Rewritten(from, to string) bool {
	if from == to {
		return true
	}
	a, errFrom := reference.ParseDockerRef(from)
	b, errTo := reference.ParseDockerRef(to)
	if errFrom != nil || errTo != nil || path.Base(a.Name()) != path.Base(b.Name()) {
		return false
	}
	was, pinned := a.(reference.Digested)
	is, pins := b.(reference.Digested)
	switch {
	case pinned:
		return pins && was.Digest() == is.Digest()
	case pins:
		return true
	}
	return a.(reference.Tagged).Tag() == b.(reference.Tagged).Tag()
}
