// Package jsonstream reads JSON from a stream in memory that does not depend on the stream.
//
// A [Decoder] walks through a value by callbacks, and keeps only what it hands out. The longest
// string and the deepest nesting are bounded. encoding/json would hold each token whole, or the
// whole value.
package jsonstream

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
)

const (
	// MaxText is the longest string or number, in bytes, that a Decoder hands out.
	MaxText = 16 << 10
	// maxDepth is how deep values may be nested.
	maxDepth = 100
	// bufferSize is how much of the stream is read at once.
	bufferSize = 16 << 10
)

// The errors of a [Decoder], beside those of its reader.
var (
	// ErrSyntax indicates that the text is not JSON, or of another shape than was asked for.
	ErrSyntax = errors.New("not the expected JSON")
	// ErrTooLong indicates a string of more than [MaxText] bytes.
	ErrTooLong = errors.New("a string in the JSON is too long")
)

// Decoder reads one JSON value. After an error it is of no further use.
type Decoder struct {
	in    *bufio.Reader
	text  []byte // of the last string or number
	depth int
}

// NewDecoder returns a Decoder of the value that r holds.
func NewDecoder(r io.Reader) *Decoder {
	return &Decoder{in: bufio.NewReaderSize(r, bufferSize)}
}

func syntax(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrSyntax, fmt.Sprintf(format, args...))
}

// next returns the next byte that is no white space, and leaves it in the stream.
func (d *Decoder) next() (byte, error) {
	for {
		c, err := d.in.ReadByte()
		if err != nil {
			return 0, ended(err)
		}
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c, d.in.UnreadByte()
		}
	}
}

// ended explains the end of the stream inside a value.
func ended(err error) error {
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return syntax("it ends too early")
	}
	return err
}

// expect reads the next byte that is no white space, which must be c.
func (d *Decoder) expect(c byte) error {
	got, err := d.next()
	if err != nil {
		return err
	}
	if got != c {
		return syntax("%q where %q was expected", got, c)
	}
	_, err = d.in.Discard(1)
	return err
}

// End returns an error unless nothing but white space follows.
func (d *Decoder) End() error {
	for {
		c, err := d.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		case c != ' ' && c != '\n' && c != '\t' && c != '\r':
			return syntax("more after its end")
		}
	}
}

// null reads a null, if one follows.
func (d *Decoder) null() (bool, error) {
	c, err := d.next()
	if err != nil || c != 'n' {
		return false, err
	}
	return true, d.literal("null")
}

// literal reads a word, to its last letter.
func (d *Decoder) literal(word string) error {
	for i := range len(word) {
		c, err := d.in.ReadByte()
		if err != nil {
			return ended(err)
		}
		if c != word[i] {
			return syntax("a word that is not %s", word)
		}
	}
	return nil
}

// Object reads an object. It calls field for each key; field must read the value. null is an empty
// object.
func (d *Decoder) Object(field func(key string) error) error {
	return d.members('{', '}', func() error {
		key, err := d.Bytes()
		if err != nil {
			return err
		}
		name := string(key)
		if err := d.expect(':'); err != nil {
			return err
		}
		return field(name)
	})
}

// Array reads an array. It calls element for each element, which element must read. null is an
// empty array.
func (d *Decoder) Array(element func() error) error { return d.members('[', ']', element) }

// members reads what is between two brackets.
func (d *Decoder) members(open, end byte, member func() error) error {
	if null, err := d.null(); null || err != nil {
		return err
	}
	if err := d.expect(open); err != nil {
		return err
	}
	if d.depth++; d.depth > maxDepth {
		return syntax("it is nested deeper than %d", maxDepth)
	}
	defer func() { d.depth-- }()
	c, err := d.next()
	if err != nil {
		return err
	}
	for c != end {
		if err := member(); err != nil {
			return err
		}
		if c, err = d.next(); err != nil {
			return err
		}
		if c == end {
			break
		}
		if err := d.expect(','); err != nil {
			return err
		}
		if c, err = d.next(); err != nil {
			return err
		}
		if c == end {
			return syntax("a comma before %q", end)
		}
	}
	_, err = d.in.Discard(1)
	return err
}

// Kind returns the first byte of the value that follows: one of { [ " t f n, a digit or a minus.
func (d *Decoder) Kind() (byte, error) { return d.next() }

// Bool reads true or false. null is false.
func (d *Decoder) Bool() (bool, error) {
	c, err := d.next()
	if err != nil {
		return false, err
	}
	switch c {
	case 't':
		return true, d.literal("true")
	case 'f':
		return false, d.literal("false")
	case 'n':
		return false, d.literal("null")
	}
	return false, syntax("%q where true or false was expected", c)
}

// Float reads a number.
func (d *Decoder) Float() (float64, error) {
	if err := d.number(); err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(string(d.text), 64)
	if err != nil {
		return 0, syntax("the number %.40q", d.text)
	}
	return v, nil
}

// number reads the text of a number.
func (d *Decoder) number() error {
	c, err := d.next()
	if err != nil {
		return err
	}
	d.text = d.text[:0]
	for {
		switch {
		case c >= '0' && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
		case len(d.text) == 0:
			return syntax("%q where a number was expected", c)
		default:
			return nil
		}
		if len(d.text) == MaxText {
			return ErrTooLong
		}
		d.text = append(d.text, c)
		if _, err := d.in.Discard(1); err != nil {
			return err
		}
		peeked, err := d.in.Peek(1)
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
		c = peeked[0]
	}
}

// Skip reads a value of any kind, and keeps nothing of it.
func (d *Decoder) Skip() error {
	c, err := d.next()
	if err != nil {
		return err
	}
	switch c {
	case '{':
		return d.members('{', '}', func() error {
			if err := d.skipString(); err != nil {
				return err
			}
			if err := d.expect(':'); err != nil {
				return err
			}
			return d.Skip()
		})
	case '[':
		return d.members('[', ']', d.Skip)
	case '"':
		return d.skipString()
	case 't', 'f', 'n':
		_, err := d.Bool()
		return err
	}
	return d.number()
}
