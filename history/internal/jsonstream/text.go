package jsonstream

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// String reads a string.
func (d *Decoder) String() (string, error) {
	b, err := d.Bytes()
	return string(b), err
}

// Bytes reads a string. The result is valid until the next call. Text that is not UTF-8 is kept as
// it is.
func (d *Decoder) Bytes() ([]byte, error) {
	if err := d.expect('"'); err != nil {
		return nil, err
	}
	d.text = d.text[:0]
	for {
		c, err := d.in.ReadByte()
		switch {
		case err != nil:
			return nil, ended(err)
		case c == '"':
			return d.text, nil
		case c < ' ':
			return nil, syntax("a control character in a string")
		case c == '\\':
			err = d.escape()
		default:
			d.text = append(d.text, c)
		}
		if err != nil {
			return nil, err
		}
		if len(d.text) > MaxText {
			return nil, ErrTooLong
		}
	}
}

// escapes are the letters that may follow a backslash, and escaped are what they stand for.
const (
	escapes = `"\/bfnrt`
	escaped = "\"\\/\b\f\n\r\t"
)

// escape reads what follows a backslash.
func (d *Decoder) escape() error {
	c, err := d.in.ReadByte()
	if err != nil {
		return ended(err)
	}
	if c != 'u' {
		i := strings.IndexByte(escapes, c)
		if i < 0 {
			return syntax("the escape \\%c", c)
		}
		d.text = append(d.text, escaped[i])
		return nil
	}
	first, err := d.hex()
	if err != nil {
		return err
	}
	if !utf16.IsSurrogate(first) {
		d.text = utf8.AppendRune(d.text, first)
		return nil
	}
	return d.pair(first)
}

// pair reads the second half of a character that is written as two escapes.
func (d *Decoder) pair(first rune) error {
	for {
		if next, err := d.in.Peek(2); err != nil || next[0] != '\\' || next[1] != 'u' {
			d.text = utf8.AppendRune(d.text, utf8.RuneError)
			return nil // It is half a pair. The next read sees the end of the stream.
		}
		_, _ = d.in.Discard(2)
		second, err := d.hex()
		if err != nil {
			return err
		}
		if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
			d.text = utf8.AppendRune(d.text, r)
			return nil
		}
		d.text = utf8.AppendRune(d.text, utf8.RuneError)
		if !utf16.IsSurrogate(second) {
			d.text = utf8.AppendRune(d.text, second)
			return nil
		}
		first = second
	}
}

// hex reads the four digits of an escape.
func (d *Decoder) hex() (rune, error) {
	var r rune
	for range 4 {
		c, err := d.in.ReadByte()
		if err != nil {
			return 0, ended(err)
		}
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, syntax("an escape with the digit %q", c)
		}
	}
	return r, nil
}

// skipString reads a string of any length, and keeps nothing of it.
func (d *Decoder) skipString() error {
	if err := d.expect('"'); err != nil {
		return err
	}
	for {
		c, err := d.in.ReadByte()
		if err == nil && c == '\\' {
			_, err = d.in.ReadByte() // the digits of \u are no end of a string
		} else if err == nil && c == '"' {
			return nil
		}
		if err != nil {
			return ended(err)
		}
	}
}
