package externalscaler

import "encoding/binary"

// The parts of HTTP/2 that say when a request begins and ends (RFC 9113, sections 3.4, 4.1 and 6).
const (
	prefaceLength = 24 // bytes that a client sends before its first frame
	headLength    = 9  // bytes before the content of a frame

	frameHeaders   = 0x1
	frameRSTStream = 0x3
	flagEndStream  = 0x1
)

// frame is the head of an HTTP/2 frame.
type frame struct {
	kind, flags byte
	stream      uint32
}

// frames finds the heads of frames in the bytes of one direction, however they are cut.
type frames struct {
	skip int // bytes up to the next head
	head [headLength]byte
	have int // bytes of head
}

// scan calls found for each head that ends in p.
func (f *frames) scan(p []byte, found func(frame)) {
	for len(p) > 0 {
		if f.skip > 0 {
			n := min(f.skip, len(p))
			f.skip, p = f.skip-n, p[n:]
			continue
		}
		n := copy(f.head[f.have:], p)
		f.have, p = f.have+n, p[n:]
		if f.have < headLength {
			return
		}
		f.have = 0
		f.skip = int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2])
		found(frame{kind: f.head[3], flags: f.head[4], stream: binary.BigEndian.Uint32(f.head[5:]) &^ (1 << 31)})
	}
}
