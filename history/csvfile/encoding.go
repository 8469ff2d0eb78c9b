package csvfile

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf16"
)

// decodeText returns a text in UTF-8 without a byte order mark. Spreadsheets write UTF-16, with a
// byte order mark.
func decodeText(r io.Reader) io.Reader {
	in := bufio.NewReader(r)
	mark, _ := in.Peek(3)
	switch {
	case strings.HasPrefix(string(mark), "\xff\xfe"):
		_, _ = in.Discard(2)
		return &utf16Reader{in: in, low: 0}
	case strings.HasPrefix(string(mark), "\xfe\xff"):
		_, _ = in.Discard(2)
		return &utf16Reader{in: in, low: 1}
	case string(mark) == "\xef\xbb\xbf":
		_, _ = in.Discard(3)
	}
	return in
}

// utf16Reader turns UTF-16 into UTF-8.
type utf16Reader struct {
	in   *bufio.Reader
	low  int // where in a pair of bytes the low one is
	out  []byte
	err  error
	half rune // the first half of a surrogate pair; 0 for none
}

// Read implements io.Reader.
func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.out) < len(p) && u.err == nil {
		var pair [2]byte
		if _, u.err = io.ReadFull(u.in, pair[:]); u.err != nil {
			if errors.Is(u.err, io.ErrUnexpectedEOF) {
				u.err = io.EOF
			}
			break
		}
		c := rune(pair[u.low]) | rune(pair[1-u.low])<<8
		switch {
		case u.half != 0:
			u.out = append(u.out, string(utf16.DecodeRune(u.half, c))...)
			u.half = 0
		case utf16.IsSurrogate(c):
			u.half = c
		default:
			u.out = append(u.out, string(c)...)
		}
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	if n == 0 && len(p) > 0 {
		return 0, u.err
	}
	return n, nil
}

// withLineFeeds returns a text whose lines end with line feeds, where they end with carriage returns
// only.
func withLineFeeds(text *bufio.Reader) *bufio.Reader {
	head, _ := text.Peek(sniffBytes) // an error is one of reading, which the next read has again
	if bytes.IndexByte(head, '\n') >= 0 || bytes.IndexByte(head, '\r') < 0 {
		return text
	}
	return bufio.NewReaderSize(lineFeeds{text}, sniffBytes)
}

// lineFeeds reads line feeds for carriage returns.
type lineFeeds struct{ in io.Reader }

// Read implements io.Reader.
func (l lineFeeds) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
	for i, c := range p[:n] {
		if c == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}
